/** The shelf as it was last told, filtered by kind and words. */

import { signal } from "@preact/signals";

import { api, explain, poll, type Checkpoint } from "../api";
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
export async function refresh(): Promise<void> {
  asked?.abort();
  const mine = (asked = new AbortController());
  isAsking.value = true;
  const filter = { kind: kind.value || undefined, q: words.value.trim() || undefined };
  try {
    const shown = Math.min(1000, Math.max(PAGE, files.value?.length ?? 0));
    const page = await api.checkpoints.list({ ...filter, limit: shown }, mine.signal);
    files.value = page.checkpoints;
    more.value = page.next;
    problem.value = null;
  } catch (fault) {
    if (!mine.signal.aborted) problem.value = explain(fault);
  } finally {
    if (asked === mine) isAsking.value = false;
  }
}

/** Ask for the next page. */
export async function loadMore(): Promise<void> {
  const after = more.value;
  if (!after) return;
  isAsking.value = true;
  try {
    const page = await api.checkpoints.list({ kind: kind.value || undefined, q: words.value.trim() || undefined, after, limit: PAGE });
    // A file may have come in between while the page was on its way.
    const known = new Set((files.value ?? []).map(idOf));
    files.value = [...(files.value ?? []), ...page.checkpoints.filter((file) => !known.has(idOf(file)))];
    more.value = page.next;
  } catch (fault) {
    problem.value = explain(fault);
  } finally {
    isAsking.value = false;
  }
}

/** Ask once, and again for as long as something is being imported; returns how to stop. */
export function follow(): () => void {
  const isDue = () => files.value === null || files.value.some(({ status }) => status === "importing");
  return poll(async () => {
    if (isDue()) await refresh();
  }, () => SOON);
}

/** What tells files of the shelf apart. */
export function idOf({ kind: of, name }: Pick<Checkpoint, "kind" | "name">): string {
  return `${of}/${name}`;
}
