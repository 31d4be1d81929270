/** Sends jobs without blocking: a wish is kept until the API has answered it, over lost connections and reloads. */
import { signal } from "@preact/signals";
import { api, isTemporary, newKey, pause, Problem, reachable, type Job, type JobWish } from "../api";
import type { Wish } from "./keep";

/** The wishes that are not answered yet, oldest first. */
export const sending = signal<readonly Wish[]>([]);

/** A second click within so many milliseconds is the same wish, also when the first one is answered already. */
const DOUBLE_CLICK = 700;
const AFTER_FAULT = 5;

export interface Way {
  create: (body: JobWish, key: string) => Promise<Job>;
  sleep: (milliseconds: number) => Promise<void>;
  reachable: () => Promise<void>;
  now: () => number;
}

const real: Way = { create: api.jobs.create, sleep: pause, reachable, now: () => Date.now() };

const promises = new Map<string, { promise: Promise<Job>; at: number; open: boolean }>();

/**
 * Submits a job. The same body again while it is on its way, or right after, is the same job. Rejects with `Problem`
 * when the API refuses it; a lost connection is no refusal.
 */
export function submit(body: JobWish, way: Way = real): Promise<Job> {
  const text = JSON.stringify(body);
  const before = promises.get(text);
  if (before && (before.open || way.now() - before.at < DOUBLE_CLICK)) return before.promise;
  const entry = { promise: deliver({ key: newKey(), body, at: way.now() }, way), at: way.now(), open: true };
  promises.set(text, entry);
  const closed = () => {
    entry.open = false;
    for (const [other, { open, at }] of promises) if (!open && way.now() - at > DOUBLE_CLICK) promises.delete(other);
  };
  entry.promise.then(closed, closed);
  return entry.promise;
}

/** Sends a wish until it is answered. */
export async function deliver(wish: Wish, way: Way = real): Promise<Job> {
  sending.value = [...sending.peek(), wish];
  try {
    for (;;) {
      try {
        return await way.create(wish.body, wish.key);
      } catch (fault) {
        if (!(fault instanceof Problem) || !isWorthWaiting(fault)) throw fault;
        if (fault.status === 0) await way.reachable();
        else await way.sleep((fault.retryAfter ?? AFTER_FAULT) * 1000);
      }
    }
  } finally {
    sending.value = sending.peek().filter((other) => other.key !== wish.key);
  }
}

/** Whether the same wish may be answered otherwise in a while. Too many open jobs is for the person to decide. */
function isWorthWaiting(fault: Problem): boolean {
  return isTemporary(fault) && fault.code !== "too_many_open_jobs" && fault.code !== "stage_full";
}
