/** The job that a tab made last, followed to its end. */
import { effect, signal, type Signal } from "@preact/signals";
import { type Job } from "../api";
import type { Tab } from "./fields";
import { ended } from "./following";
import { outcomes } from "./sending";

/** The last job of each tab as it stands now. */
export const latest: Readonly<Record<Tab, Signal<Job | null>>> = {
  txt2img: signal(null),
  img2img: signal(null),
  extras: signal(null),
};

/** The seeds of the first picture of the last job, for *reuse seed*; null before there is one. */
export function lastSeeds(tab: Tab): { seed: number | null; subseed: number | null } {
  const job = latest[tab].value;
  const seed = job?.images[0]?.seed ?? null;
  const said = /Variation seed: (\d+)/.exec(job?.images[0]?.infotext ?? "")?.[1];
  return { seed, subseed: said ? Number(said) : null };
}

/** Follows the last job of a tab; another one takes its place. Returns how to stop. */
export function followLatest(tab: Tab): () => void {
  let current: AbortController | null = null;
  const stop = effect(() => {
    const job = outcomes[tab].value.job;
    if (!job || job.id === latest[tab].peek()?.id) return;
    current?.abort();
    const own = new AbortController();
    current = own;
    latest[tab].value = job;
    const seen = (next: Job) => {
      if (!own.signal.aborted) latest[tab].value = next;
    };
    // A job that was deleted meanwhile is not shown any more.
    ended(job.id, seen, own.signal).catch(() => {
      if (!own.signal.aborted) latest[tab].value = null;
    });
  });
  return () => {
    stop();
    current?.abort();
  };
}
