/** The one place that calls the API: `/api` on the page's own origin. */
import { online } from "./connection";
import { currentKey } from "./key";
import { isTemporary, Problem, problemOf, retryAfterOf } from "./problem";

export type Query = Record<string, string | number | boolean | readonly (string | number)[] | null | undefined>;

export interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Query;
  body?: unknown;
  /** Idempotency-Key: a request with one may be sent again when no answer came. */
  idempotencyKey?: string;
  /** true for a POST that does no harm when it is sent twice, such as a cancel */
  repeatable?: boolean;
  signal?: AbortSignal | undefined;
}

/** What was answered, and in how many seconds the API asks to be asked again. */
export interface Answer<T> {
  data: T;
  status: number;
  retryAfter: number | null;
}

/** How often and when an unanswered request is sent again: pauses in milliseconds. */
export const PAUSES: readonly number[] = [500, 1500, 4000];
const LONGEST_WAIT = 20;

export interface Surroundings {
  fetch: typeof fetch;
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  key: (refused?: string) => Promise<string>;
}

const real: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  sleep: pause,
  key: currentKey,
};

/** A new Idempotency-Key. Keep it for as long as the same wish is sent. */
export function newKey(): string {
  return crypto.randomUUID();
}

/** The address of a call, with its query: lists repeat their name, null and undefined are left out. */
export function address(path: string, query: Query = {}): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) words.append(name, String(one));
  }
  const text = words.toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

/**
 * Sends a call until it is answered. What may be sent twice is sent again when no answer came, when AWS is busy, and
 * when a limit asks for a pause that a person would wait for. A refused key is asked for anew, and the call goes on.
 * Throws `Problem`; a call that was given up by its signal throws the signal's reason.
 */
export async function call<T>(wish: Call, around: Surroundings = real): Promise<Answer<T>> {
  const again = wish.repeatable ?? ((wish.method ?? "GET") !== "POST" || wish.idempotencyKey !== undefined);
  let refused: string | undefined;
  for (let tries = 0; ;) {
    const key = await around.key(refused);
    const result = await once<T>(wish, key, around);
    if (!(result instanceof Problem)) return result;
    if (result.status === 401) {
      refused = key;
      continue;
    }
    const wait = again ? pauseBefore(result, tries) : null;
    if (wait === null) throw result;
    tries += 1;
    await around.sleep(wait, wish.signal);
  }
}

/** Tries a key that a person entered; throws the `Problem` when the API refuses it. */
export async function checkKey(key: string): Promise<void> {
  const result = await once<unknown>({ path: "/ping" }, key, real);
  if (result instanceof Problem) throw result;
}

/** How long to wait before the call is sent again, in milliseconds; null when it is not. */
export function pauseBefore(problem: Problem, tries: number): number | null {
  const pause = PAUSES[tries];
  if (pause === undefined || !isTemporary(problem)) return null;
  if (problem.retryAfter === null) return pause;
  return problem.retryAfter <= LONGEST_WAIT ? problem.retryAfter * 1000 : null;
}

async function once<T>(wish: Call, key: string, around: Surroundings): Promise<Answer<T> | Problem> {
  const headers: Record<string, string> = { Authorization: `Bearer ${key}`, Accept: "application/json" };
  if (wish.body !== undefined) headers["Content-Type"] = "application/json";
  if (wish.idempotencyKey !== undefined) headers["Idempotency-Key"] = wish.idempotencyKey;
  let answer: Response;
  try {
    answer = await around.fetch(address(wish.path, wish.query), {
      method: wish.method ?? "GET",
      headers,
      body: wish.body === undefined ? null : JSON.stringify(wish.body),
      signal: wish.signal ?? null,
      cache: "no-store",
      credentials: "omit",
    });
  } catch {
    wish.signal?.throwIfAborted();
    online.value = false;
    return new Problem("offline", 0, "");
  }
  online.value = true;
  return answer.ok ? read<T>(answer) : problemOf(answer);
}

async function read<T>(answer: Response): Promise<Answer<T> | Problem> {
  const retryAfter = retryAfterOf(answer);
  if (answer.status === 204) return { data: undefined as T, status: 204, retryAfter };
  try {
    return { data: (await answer.json()) as T, status: answer.status, retryAfter };
  } catch {
    return new Problem("unreadable", 0, "");
  }
}

/** Waits, or throws the signal's reason as soon as the call is given up. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
