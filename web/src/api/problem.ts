/** What went wrong with a request, in one form: what the API refused (RFC 9457), or what never reached it. */
import { fieldsOf, fromJson } from "./json";

export interface FieldProblem {
  loc: (string | number)[];
  msg: string;
}

/** `code` never changes its meaning; `offline`, `unreadable` and `http_<status>` are the page's own. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly errors: FieldProblem[] = [],
    readonly requestId: string | null = null,
    /** seconds that the API asks to wait before the next try, or null */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** Whether the same request may be answered otherwise in a while: no answer, too many requests, or AWS is busy. */
export function isTemporary({ status }: Problem): boolean {
  return status === 0 || status === 429 || status >= 502;
}

/** In how many seconds an answer asks to be asked again; null where it says nothing. */
export function retryAfterOf(answer: Response): number | null {
  const wait = Number(answer.headers.get("Retry-After"));
  return Number.isFinite(wait) && wait > 0 ? wait : null;
}

/** Reads the problem from an answer that is not 2xx. An answer that is no problem document keeps its status. */
export async function problemOf(answer: Response): Promise<Problem> {
  const retryAfter = retryAfterOf(answer);
  const said = saidIn(await answer.text().catch(() => ""));
  if (said === null) {
    return new Problem(`http_${answer.status}`, answer.status, answer.statusText, [], null, retryAfter);
  }
  return new Problem(said.code, answer.status, said.detail, said.errors ?? [], said.request_id ?? null, retryAfter);
}

interface Said {
  code: string;
  detail: string;
  errors?: FieldProblem[];
  request_id?: string;
}

function saidIn(text: string): Said | null {
  const fields = fieldsOf(fromJson(text));
  return "code" in fields && "detail" in fields ? (fields as unknown as Said) : null;
}
