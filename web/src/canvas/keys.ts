/** Painting by keyboard: the arrows move a cursor, the space bar paints a dot, and held it paints along. Held while a
 * pointer drags, the space bar moves the picture. */

import type { Signal } from "@preact/signals";

import type { Point } from "./capsule";
import type { Box } from "./shapes";
import { actionOf, type Reach } from "./shortcuts";
import type { Stroke } from "./surface";
import type { Size } from "./view";

export interface Keyed {
  /** Where the cursor is, in pixels of the picture; null: none is shown. */
  cursor: Signal<Point | null>;
  /** Whether the space bar is down, and whether it was used for more than a dot. */
  isSpaceHeld: { now: boolean; used: boolean };
  /** Where the cursor appears. */
  start: () => Point;
  size: Size;
  scale: () => number;
  /** Whether the tool in hand paints. */
  paints: () => boolean;
  begin: (at: Point) => Stroke | null;
  touched: (box: Box | null) => void;
  ended: () => void;
  /** The cursor has moved there. */
  moved: (to: Point) => void;
  reach: Reach;
  redraw: () => void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
/** Pixels of the screen that the cursor moves at a time; with Shift it is one pixel of the picture. */
const STEP = 8;

/** Listen on the canvas; returns how to stop. */
export function attachKeys(area: HTMLElement, keyed: Keyed): () => void {
  const { cursor, isSpaceHeld, size } = keyed;
  let stroke: Stroke | null = null;

  const move = (direction: [number, number], by: number) => {
    const from = cursor.value ?? keyed.start();
    const held = (value: number, most: number) => Math.min(most - 0.5, Math.max(0.5, value));
    const to = { x: held(from.x + direction[0] * by, size.width), y: held(from.y + direction[1] * by, size.height) };
    cursor.value = to;
    if (isSpaceHeld.now && keyed.paints()) {
      isSpaceHeld.used = true;
      stroke ??= keyed.begin(from);
      if (stroke) keyed.touched(stroke.to(to));
    }
    keyed.moved(to);
  };
  const end = () => {
    if (!stroke) return;
    stroke.end();
    stroke = null;
    keyed.ended();
  };
  const pressed = (event: KeyboardEvent) => {
    const direction = ARROWS[event.key];
    const act = actionOf(event);
    if (!direction && event.key !== " " && !act) return;
    event.preventDefault();
    if (direction) {
      move(direction, event.shiftKey ? 1 : Math.max(1, Math.round(STEP / keyed.scale())));
    } else if (event.key === " ") {
      if (!event.repeat) isSpaceHeld.used = false;
      isSpaceHeld.now = true;
    } else {
      act?.(keyed.reach);
    }
    keyed.redraw();
  };
  const released = (event: KeyboardEvent) => {
    if (event.key !== " " || !isSpaceHeld.now) return;
    isSpaceHeld.now = false;
    if (!isSpaceHeld.used && cursor.value && keyed.paints()) stroke = keyed.begin(cursor.value);
    end();
    keyed.redraw();
  };
  const left = () => {
    isSpaceHeld.now = false;
    end();
    cursor.value = null;
    keyed.redraw();
  };
  area.addEventListener("keydown", pressed);
  area.addEventListener("keyup", released);
  area.addEventListener("blur", left);
  return () => {
    end();
    area.removeEventListener("keydown", pressed);
    area.removeEventListener("keyup", released);
    area.removeEventListener("blur", left);
  };
}
