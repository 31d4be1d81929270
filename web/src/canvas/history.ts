/** Undo and redo: each step keeps what the tiles that it changed looked like before. */

import type { Layer, Tile } from "./tiles";

interface Change {
  layer: Layer;
  index: number;
  /** What comes back when the change is undone, or done again; null: no tile. */
  other: Tile | null;
}

export type Step = readonly Change[];

export interface History {
  done: Step[];
  undone: Step[];
  /** Bytes that all steps together may keep. */
  limit: number;
}

export const HISTORY_BYTES = 192 * 1024 * 1024;

/** A history without steps. */
export function emptyHistory(limit = HISTORY_BYTES): History {
  return { done: [], undone: [], limit };
}

/** Collects what a step changes: `keep` is called before each change of a tile, as often as it happens. */
export function recorder(): { keep: (layer: Layer, index: number) => boolean; step: () => Step } {
  const changes: Change[] = [];
  const seen = new Map<Layer, Set<number>>();
  return {
    keep(layer, index) {
      let known = seen.get(layer);
      if (!known) seen.set(layer, (known = new Set()));
      if (known.has(index)) return false;
      known.add(index);
      changes.push({ layer, index, other: layer.tiles.get(index)?.slice() ?? null });
      return true;
    },
    step: () => changes,
  };
}

/** Add a finished step. Steps that were undone are forgotten, and the oldest ones where there is no room for them; the
 * newest always stays. */
export function add(history: History, step: Step): void {
  if (!step.length) return;
  history.undone = [];
  history.done.push(step);
  let bytes = history.done.reduce((sum, each) => sum + bytesOf(each), 0);
  while (history.done.length > 1 && bytes > history.limit) bytes -= bytesOf(history.done.shift() as Step);
}

/** Take the last step back; returns the tiles that changed. */
export function undo(history: History): Step {
  return move(history.done, history.undone);
}

/** Do the step again that was undone last; returns the tiles that changed. */
export function redo(history: History): Step {
  return move(history.undone, history.done);
}

/** Put back what a step that is not in the history has changed. */
export function revert(step: Step): void {
  for (const change of step) exchange(change);
}

function move(from: Step[], to: Step[]): Step {
  const step = from.pop();
  if (!step) return [];
  revert(step);
  to.push(step);
  return step;
}

function exchange(change: Change): void {
  const now = change.layer.tiles.get(change.index) ?? null;
  if (change.other) change.layer.tiles.set(change.index, change.other);
  else change.layer.tiles.delete(change.index);
  change.other = now;
}

function bytesOf(step: Step): number {
  return step.reduce((sum, { other }) => sum + (other?.length ?? 64), 0);
}
