/** The costs as they were last told, and asking for them again. */

import { signal } from "@preact/signals";

import { api, explain, poll, type MonthCosts } from "../api";

interface Shown {
  /** the month that is asked for; null for the present one */
  month: string | null;
  /** null: not told yet */
  costs: MonthCosts | null;
  problem: string | null;
}

export const shown = signal<Shown>({ month: null, costs: null, problem: null });
export const isAsking = signal(false);

/** The meter counts once a minute. */
const PAUSE = 60_000;
let asking: AbortController | null = null;

/** Ask for a month. What went wrong is in `problem`, beside what was told of the same month before. A question that is
 * still open is given up, so that a late answer never stands under another month. */
export async function refresh(month: string | null = shown.peek().month): Promise<void> {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  isAsking.value = true;
  if (shown.peek().month !== month) shown.value = { month, costs: null, problem: null };
  try {
    const costs = await api.costs.get(month, mine.signal);
    if (asking === mine) shown.value = { month, costs, problem: null };
  } catch (fault) {
    if (asking === mine) shown.value = { ...shown.peek(), problem: explain(fault) };
  } finally {
    if (asking === mine) isAsking.value = false;
  }
}

/** Ask at once and then again and again; returns how to stop. */
export function follow(month: string | null): () => void {
  return poll(
    () => refresh(month),
    () => PAUSE,
  );
}
