/** What keeps a job from being sent, in words. */
import { explain, Problem } from "../api";
import type { Reason } from "./checks";
import { t } from "./texts";

export function reasonText(reason: Reason): string {
  switch (reason.what) {
    case "checkpointGone":
    case "vaeGone":
    case "endpointGone":
      return t(reason.what, { name: reason.name });
    case "endpointNot":
      return t("endpointNot", { name: reason.name, status: reason.status, why: t(reason.why) });
    case "unit":
      return t(`unit_${reason.why}`, { number: String(reason.number) });
    case "sizeOutside":
      return t("sizeOutside", { size: `${reason.width}x${reason.height}` });
    default:
      return t(reason.what);
  }
}

/** What the API said, and what it said of single fields. */
export function problemText(fault: unknown): string[] {
  const told = explain(fault);
  const fields = fault instanceof Problem ? fault.errors : [];
  const more = fields.map(
    ({ loc, msg }) => `${loc.filter((part) => part !== "body" && part !== "parameters").join(".")}: ${msg}`,
  );
  return [told, ...more.filter((line) => !told.includes(line))];
}
