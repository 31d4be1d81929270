/** The shape that a round brush leaves between two points: all pixels whose centre is not further from the line than
 * the brush's radius. There are no half pixels: a mask has none. */

import type { Box } from "./shapes";

export interface Point {
  x: number;
  y: number;
}

/** Calls `row` with each row of the capsule inside a picture: y, the first x, and the x behind the last. */
export function eachRow(
  from: Point,
  to: Point,
  radius: number,
  width: number,
  height: number,
  row: (y: number, begin: number, end: number) => void,
): Box | null {
  const first = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius - 0.5));
  const last = Math.min(height - 1, Math.ceil(Math.max(from.y, to.y) + radius - 0.5));
  const box: Box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let y = first; y <= last; y++) {
    const span = spanOf(from, to, radius, y + 0.5);
    if (!span) continue;
    // Rounding may have moved an end by a pixel: the exact rule decides.
    const covers = (x: number) => squaredDistance(from, to, x + 0.5, y + 0.5) <= radius * radius;
    let begin = Math.floor(span[0]) - 1;
    let end = Math.ceil(span[1]) + 1;
    while (begin < end && !covers(begin)) begin++;
    while (end > begin && !covers(end - 1)) end--;
    begin = Math.max(begin, 0);
    end = Math.min(end, width);
    if (begin >= end) continue;
    row(y, begin, end);
    box.left = Math.min(box.left, begin);
    box.right = Math.max(box.right, end);
    box.top = Math.min(box.top, y);
    box.bottom = y + 1;
  }
  return box.left < box.right ? box : null;
}

/** The square of a point's distance from the line between two points. */
export function squaredDistance(from: Point, to: Point, x: number, y: number): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length)) : 0;
  return (x - from.x - along * dx) ** 2 + (y - from.y - along * dy) ** 2;
}

/** Where a brush of whole pixels stands: one with an odd diameter on a pixel's centre, one with an even diameter on a
 * corner, so that both are round. */
export function snapped(point: Point, size: number): Point {
  const offset = size % 2 ? 0.5 : 0;
  const place = (value: number) => (size % 2 ? Math.floor(value) : Math.round(value)) + offset;
  return { x: place(point.x), y: place(point.y) };
}

/** Where the capsule begins and ends on a horizontal line: it is convex, so its two discs and the body between them
 * make one piece. */
function spanOf(from: Point, to: Point, radius: number, y: number): [number, number] | null {
  let least = Infinity;
  let most = -Infinity;
  const add = (left: number, right: number) => {
    if (left > right) return;
    least = Math.min(least, left);
    most = Math.max(most, right);
  };
  for (const { x, y: centre } of [from, to]) {
    const half = radius * radius - (y - centre) ** 2;
    if (half >= -1e-9) add(x - Math.sqrt(Math.max(0, half)), x + Math.sqrt(Math.max(0, half)));
  }
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy);
  if (length > 0) {
    // Not further than the radius from the endless line, and between its two ends.
    const off = y - from.y;
    const beside = within(-dy, dx * off, -radius * length, radius * length);
    const between = within(dx, dy * off, 0, length * length);
    if (beside && between) add(from.x + Math.max(beside[0], between[0]), from.x + Math.min(beside[1], between[1]));
  }
  return least <= most ? [least, most] : null;
}

/** The u for which `factor * u + constant` lies from `low` to `high`; null where there is none. */
function within(factor: number, constant: number, low: number, high: number): [number, number] | null {
  if (factor === 0) return constant >= low && constant <= high ? [-Infinity, Infinity] : null;
  const one = (low - constant) / factor;
  const other = (high - constant) / factor;
  return [Math.min(one, other), Math.max(one, other)];
}
