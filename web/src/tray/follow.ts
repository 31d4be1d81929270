/** Follows open jobs until they have ended, one loop a job, within what the API allows a key. */
import { signal } from "@preact/signals";
import { api, pause, Problem, reachable, type Job } from "../api";
import { gate } from "./gate";
import { forget, isOpen, remember } from "./store";

/** How many jobs are asked about at once; a browser opens about six connections to a server. */
const PLACES = 3;
const SEEN_SECONDS = 2;
const HIDDEN_SECONDS = 20;
const AFTER_FAULT = 15;

export interface World {
  wait: (id: string, seconds: number) => Promise<{ data: Job; retryAfter: number | null }>;
  sleep: (milliseconds: number) => Promise<void>;
  /** resolves as soon as the API can be reached */
  reachable: () => Promise<void>;
  hidden: () => boolean;
}

const real: World = {
  wait: (id, seconds) => api.jobs.wait(id, seconds),
  sleep: pause,
  reachable,
  hidden: () => document.hidden,
};

/** The ids of the jobs that are followed now. */
export const following = signal<ReadonlySet<string>>(new Set());
const turn = gate(PLACES);

/**
 * The pause before a job is asked about again, in milliseconds: what the API asks for, and more the more jobs are open,
 * so that a key's requests in a minute are enough for all.
 */
export function pauseFor(retryAfter: number | null, open: number): number {
  return Math.max((retryAfter ?? 0) * 1000, open * 200);
}

/** Asks about a job until it has ended or is gone. To follow a job twice does nothing. */
export async function follow(id: string, world: World = real): Promise<void> {
  if (following.peek().has(id)) return;
  following.value = new Set([...following.peek(), id]);
  try {
    for (let goesOn = true; goesOn;) goesOn = await look(id, world);
  } finally {
    following.value = new Set([...following.peek()].filter((other) => other !== id));
  }
}

/** One look at a job and the pause after it; false once nothing more will be heard. */
async function look(id: string, world: World): Promise<boolean> {
  try {
    // A job that runs is asked about often, so that its progress moves; nobody sees that of a hidden page.
    const { data, retryAfter } = await turn(() => world.wait(id, world.hidden() ? HIDDEN_SECONDS : SEEN_SECONDS));
    remember(data);
    if (!isOpen(data)) return false;
    await world.sleep(pauseFor(retryAfter, following.peek().size));
    return true;
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    if (fault.status === 404) {
      forget(id);
      return false;
    }
    if (fault.status === 0) await world.reachable();
    await world.sleep((fault.retryAfter ?? (fault.status === 0 ? 0 : AFTER_FAULT)) * 1000);
    return true;
  }
}
