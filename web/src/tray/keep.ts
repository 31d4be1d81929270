/**
 * What the tray keeps in the browser, so that a reload loses nothing: wishes without an answer, and ids of its jobs.
 */
import type { JobWish } from "../api";

/** A job that was submitted and not answered yet. Its key makes it one job, however often it is sent. */
export interface Wish {
  key: string;
  body: JobWish;
  /** when it was submitted first, in epoch milliseconds */
  at: number;
}

export interface Kept {
  wishes: Wish[];
  ids: string[];
  /** whose jobs they are, as the API said with the first of them */
  owner: string | null;
}

const NAME = "darkroom.tray";
/** For so long the API knows an Idempotency-Key again (24 hours); a wish that is older could become a second job. */
export const KEY_LIVES = 23 * 3_600_000;

/** Reads what was kept; what cannot be read counts as nothing. */
export function readKept(store: Pick<Storage, "getItem">): Kept {
  const nothing: Kept = { wishes: [], ids: [], owner: null };
  try {
    const value: unknown = JSON.parse(store.getItem(NAME) ?? "null");
    if (typeof value !== "object" || value === null) return nothing;
    const { wishes, ids, owner } = value as Partial<Kept>;
    return {
      wishes: Array.isArray(wishes) ? wishes.filter((one) => one?.key && one.body && Number.isFinite(one.at)) : [],
      ids: Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [],
      owner: typeof owner === "string" ? owner : null,
    };
  } catch {
    return nothing;
  }
}

/** Keeps it. A browser without room for it goes on without; only a reload would then lose what was not sent. */
export function writeKept(store: Pick<Storage, "setItem">, kept: Kept): void {
  try {
    store.setItem(NAME, JSON.stringify(kept));
  } catch {
    // full, or forbidden by the browser's settings
  }
}

/** Forgets all of it, for the next person at this browser. */
export function clearKept(store: Pick<Storage, "removeItem">): void {
  store.removeItem(NAME);
}
