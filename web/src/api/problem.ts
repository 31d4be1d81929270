/** What went wrong with a request, in one form: what the API refused (RFC 9457), or what never reached it. */

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

/** Reads the problem from an answer that is not 2xx. An answer that is no problem document keeps its status. */
export async function problemOf(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get("Retry-After"));
  const retryAfter = Number.isFinite(wait) && wait > 0 ? wait : null;
  const text = await answer.text().catch(() => "");
  const said = parsed(text);
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

function parsed(text: string): Said | null {
  try {
    const value: unknown = JSON.parse(text);
    const ours = typeof value === "object" && value !== null && "code" in value && "detail" in value;
    return ours ? (value as Said) : null;
  } catch {
    return null;
  }
}
