/** A fault in words for people. */
import { Problem } from "./problem";
import { t } from "./texts";

/**
 * What to say about a fault. Refusals that everybody may meet are in the language of the page; what concerns a single
 * field is what the API says, which names the field and what to do. The words never hold the key.
 */
export function explain(fault: unknown): string {
  if (!(fault instanceof Problem)) return t("other");
  switch (fault.code) {
    case "offline":
    case "unreadable":
    case "unauthenticated":
    case "not_permitted":
    case "too_many_open_jobs":
    case "stage_full":
    case "rate_limited":
      return t(fault.code);
    case "budget_spent":
      // Whose budget it is, and its numbers, stand in the sentence of the API alone.
      return t("budget_spent", { detail: fault.message });
    case "throttled":
      return t("rate_limited");
    case "aws_busy":
    case "aws_unreachable":
      return t("busy");
    case "internal_error":
    case "no_answer":
      return t("fault", { id: fault.requestId ?? "–" });
    default:
      return fault.message || t("status", { status: String(fault.status) });
  }
}
