/** What mouse, pen and fingers do on a canvas, told in points of its window. One pointer paints or moves the picture;
 * two fingers move and zoom it, and a stroke that the first of them began is taken back. */

import type { Point } from "./capsule";

export interface Hands {
  /** Whether a pointer moves the picture and does not paint. */
  moves: () => boolean;
  begin: (at: Point) => void;
  /** The points since the last call, as densely as the device told them. */
  paint: (points: Point[]) => void;
  end: () => void;
  cancel: () => void;
  pan: (by: Point) => void;
  zoom: (factor: number, at: Point) => void;
  /** Where a mouse or pen is; null when it left. */
  hover: (at: Point | null) => void;
  /** Whether a wheel without Ctrl zooms, too. */
  wheelZooms: () => boolean;
}

/** Listen on an element; returns how to stop. */
export function attachGestures(element: HTMLElement, hands: Hands): () => void {
  const down = new Map<number, Point>();
  let doing: "paint" | "pan" | "pinch" | null = null;

  const place = (event: { clientX: number; clientY: number }): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left - element.clientLeft, y: event.clientY - box.top - element.clientTop };
  };

  const pressed = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.button > 1) return;
    if (down.size >= 2) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    if (down.size === 2) {
      if (doing === "paint") hands.cancel();
      doing = "pinch";
    } else if (event.button === 1 || hands.moves()) {
      // The middle button would scroll the page.
      event.preventDefault();
      doing = "pan";
    } else {
      doing = "paint";
      hands.begin(place(event));
    }
  };

  const moved = (event: PointerEvent) => {
    const here = place(event);
    if (event.pointerType !== "touch") hands.hover(here);
    const before = down.get(event.pointerId);
    if (!before) return;
    down.set(event.pointerId, here);
    if (doing === "paint") {
      const all = event.getCoalescedEvents?.() ?? [];
      hands.paint(all.length ? all.map(place) : [here]);
    } else if (doing === "pan") {
      hands.pan({ x: here.x - before.x, y: here.y - before.y });
    } else if (doing === "pinch") {
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
      if (other) pinched(before, here, other);
    }
  };

  const pinched = (before: Point, here: Point, other: Point) => {
    const middle = (one: Point) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
    const apart = (one: Point) => Math.hypot(one.x - other.x, one.y - other.y);
    const [from, to] = [middle(before), middle(here)];
    hands.pan({ x: to.x - from.x, y: to.y - from.y });
    if (apart(before) > 0) hands.zoom(apart(here) / apart(before), to);
  };

  const released = (event: PointerEvent) => {
    if (!down.delete(event.pointerId)) return;
    if (doing === "paint") {
      if (event.type === "pointercancel") hands.cancel();
      else hands.end();
    }
    // The finger that stays after a pinch neither paints nor moves: it must be put down anew.
    if (doing !== "pinch" || down.size === 0) doing = null;
  };

  const left = () => hands.hover(null);

  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey && !hands.wheelZooms()) return;
    event.preventDefault();
    // Pages and lines as pixels; a trackpad's pinch comes as many small steps with Ctrl.
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode]!;
    hands.zoom(Math.exp(-pixels * (event.ctrlKey && Math.abs(pixels) < 20 ? 0.01 : 0.0015)), place(event));
  };

  const listeners: [string, (event: never) => void][] = [
    ["pointerdown", pressed],
    ["pointermove", moved],
    ["pointerup", released],
    ["pointercancel", released],
    ["pointerleave", left],
    ["wheel", wheel],
  ];
  for (const [name, listener] of listeners) element.addEventListener(name, listener as EventListener, { passive: false });
  return () => {
    for (const [name, listener] of listeners) element.removeEventListener(name, listener as EventListener);
  };
}
