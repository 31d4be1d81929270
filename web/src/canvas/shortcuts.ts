/** What keys do on the canvas, beside moving the cursor and painting. */

import type { Board } from "./board";
import type { Mode } from "./surface";

/** The largest brush, in pixels of the picture. */
export const MOST_BRUSH = 1000;

export interface Reach {
  board: Board;
  mode: Mode;
  zoom: (factor: number) => void;
  fit: () => void;
  actual: () => void;
}

/** What a key does on the canvas; null where it does nothing there. */
export function actionOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): ((reach: Reach) => void) | null {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return ({ board }) => (event.shiftKey ? board.inside.redo() : board.inside.undo());
    return key === "y" ? ({ board }) => board.inside.redo() : null;
  }
  if (event.altKey) return null;
  const takes = (tool: "brush" | "eraser" | "hand" | "pipette") => ({ board, mode }: Reach) => {
    if (tool !== "pipette" || mode === "sketch" || mode === "sketch-mask") board.inside.tool.value = tool;
  };
  const sizes = (by: number) => ({ board }: Reach) => {
    const { brushSize } = board.inside;
    const next = brushSize.value * by;
    brushSize.value = Math.min(MOST_BRUSH, Math.max(1, by > 1 ? Math.ceil(next) : Math.floor(next)));
  };
  const actions: Record<string, (reach: Reach) => void> = {
    b: takes("brush"),
    e: takes("eraser"),
    h: takes("hand"),
    i: takes("pipette"),
    "[": sizes(1 / 1.2),
    "]": sizes(1.2),
    "+": ({ zoom }) => zoom(1.25),
    "=": ({ zoom }) => zoom(1.25),
    "-": ({ zoom }) => zoom(0.8),
    "0": ({ fit }) => fit(),
    "1": ({ actual }) => actual(),
    v: ({ board, mode }) => mode === "mask" && board.inside.invert(),
  };
  return actions[key] ?? null;
}
