/** The shelf as it was last told, filtered by kind and words. */

import { signal } from "@preact/signals";

import { api, explain, poll, type Checkpoint, type CheckpointQuery } from "../api";
import type { Kind } from "./transfer";

export const kind = signal<Kind | "">("");
export const words = signal("");
/** null: not asked yet. */
export const files = signal<Checkpoint[] | null>(null);
/** Where the next page begins; null on the last. */
export const more = signal<string | null>(null);
export const problem = signal<string | null>(null);
export const isAsking = signal(false);

const PAGE = 50;
const SOON = 3_000;
let asked: AbortController | null = null;

/** Ask for the first page anew, or as many files as are shown now. */
export function refresh(): Promise<void> {
  const limit = Math.min(1000, Math.max(PAGE, files.value?.length ?? 0));
  return ask({ limit }, (found) => {
    files.value = found;
  });
}

/** Ask for the next page. */
export async function loadMore(): Promise<void> {
  const after = more.value;
  if (!after) return;
  await ask({ after, limit: PAGE }, (found) => {
    // A file may have come in between while the page was on its way.
    const known = new Set((files.value ?? []).map(idOf));
    files.value = [...(files.value ?? []), ...found.filter((file) => !known.has(idOf(file)))];
  });
}

/** Asks with the filter of now. What was asked before is given up: its answer may belong to another filter. */
async function ask(page: CheckpointQuery, take: (found: Checkpoint[]) => void): Promise<void> {
  asked?.abort();
  const { signal } = (asked = new AbortController());
  isAsking.value = true;
  try {
    const filter = { kind: kind.value || undefined, q: words.value.trim() || undefined };
    const answer = await api.checkpoints.list({ ...filter, ...page }, signal);
    if (signal.aborted) return;
    take(answer.checkpoints);
    more.value = answer.next;
    problem.value = null;
  } catch (fault) {
    if (!signal.aborted) problem.value = explain(fault);
  } finally {
    if (!signal.aborted) isAsking.value = false;
  }
}

/** Ask once, and again for as long as something is being imported; returns how to stop. */
export function follow(): () => void {
  const isDue = () => files.value === null || files.value.some(({ status }) => status === "importing");
  return poll(async () => {
    if (isDue() && !isAsking.value) await refresh();
  }, () => SOON);
}

/** What tells files of the shelf apart. */
export function idOf({ kind: of, name }: Pick<Checkpoint, "kind" | "name">): string {
  return `${of}/${name}`;
}
