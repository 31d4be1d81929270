/**
 * What the tray keeps in the browser, so that a reload loses nothing: wishes without an answer, and ids of its jobs.
 */
import { fieldsOf, fromJson, type JobWish } from "../api";

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

/** Ids tell nobody anything who may not see the jobs: they stay when the tab is closed. */
const IDS = "darkroom.tray";
/** What is another person's matter lies where the key lies, and goes with it. */
const OWN = "darkroom.unsent";
/** For so long the API knows an Idempotency-Key again (24 hours); a wish that is older could become a second job. */
export const KEY_LIVES = 23 * 3_600_000;

type Reads = Pick<Storage, "getItem">;
type Writes = Pick<Storage, "setItem">;

/**
 * Reads what was kept: ids from `device`, the rest from `own`, the storage that holds the key. What cannot be read
 * counts as nothing.
 */
export function readKept(device: Reads, own: Reads): Kept {
  const ids = fromJson(device.getItem(IDS));
  const { wishes, owner } = fieldsOf(fromJson(own.getItem(OWN)));
  return {
    wishes: Array.isArray(wishes) ? wishes.filter((one) => one?.key && one.body && Number.isFinite(one.at)) : [],
    ids: Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [],
    owner: typeof owner === "string" ? owner : null,
  };
}

/** Keeps it. A browser without room for it goes on without; only a reload would then lose what was not sent. */
export function writeKept(device: Writes, own: Writes, { ids, wishes, owner }: Kept): void {
  try {
    device.setItem(IDS, JSON.stringify(ids));
    own.setItem(OWN, JSON.stringify({ wishes, owner }));
  } catch {
    // full, or forbidden by the browser's settings
  }
}

/** Forgets all of it, for the next person at this browser. */
export function clearKept(...stores: Pick<Storage, "removeItem">[]): void {
  for (const store of stores) for (const name of [IDS, OWN]) store.removeItem(name);
}
