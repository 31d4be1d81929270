/** A picture that is painted on, in its own pixels: what is painted over it, its mask, and the steps back. Nothing here
 * knows a screen. */

import { eachRow, snapped, squaredDistance, type Point } from "./capsule";
import { add, emptyHistory, recorder, revert, type History } from "./history";
import type { Pixels } from "../pictures";
import { around, type Box, type Colour } from "./shapes";
import { emptyLayer, fillTiles, flattenInto, freshTile, placeOf, TILE, tileAt, tileCount, type Layer, type Tile } from "./tiles";

/** What painting does: nothing, colours over the picture, a mask, or both at once. */
export type Mode = "picture" | "sketch" | "mask" | "sketch-mask";

export interface Surface {
  base: Pixels;
  /** The picture's pixels where they were painted over. */
  paint: Layer;
  mask: Layer;
  history: History;
}

export interface Brush {
  /** Diameter in pixels of the picture, a whole number. */
  size: number;
  colour: Colour;
  /** Over 0, up to 1: how much of the colour is seen. A mask has no opacity. */
  opacity: number;
  /** Whether colours grow fainter from half the radius on. A mask has no soft edge: it covers all that is touched. */
  isSoft: boolean;
  erases: boolean;
}

export interface Stroke {
  /** Paint from the last point to this one; the first call paints a dot. Returns what changed. */
  to: (point: Point) => Box | null;
  /** Finish, as one step that can be undone. */
  end: () => void;
  /** Take all of it back. */
  cancel: () => void;
}

/** A surface over a picture, with nothing painted. */
export function createSurface(base: Pixels, historyBytes?: number): Surface {
  const { width, height } = base;
  return {
    base,
    paint: emptyLayer(4, width, height),
    mask: emptyLayer(1, width, height),
    history: emptyHistory(historyBytes),
  };
}

/** Begin a stroke. */
export function beginStroke(surface: Surface, mode: Mode, brush: Brush): Stroke {
  const record = recorder();
  const layers = [
    ...(mode === "sketch" || mode === "sketch-mask" ? [painter(surface, brush, record.keep)] : []),
    ...(mode === "mask" || mode === "sketch-mask" ? [masker(surface, brush, record.keep)] : []),
  ];
  const { width, height } = surface.base;
  let last: Point | null = null;
  return {
    to(point) {
      const here = snapped(point, brush.size);
      const from = last ?? here;
      last = here;
      if (!layers.length) return null;
      const line = { from, to: here, radius: brush.size / 2 };
      return eachRow(from, here, line.radius, width, height, (y, begin, end) => {
        for (let x = begin; x < end; x = (Math.floor(x / TILE) + 1) * TILE) {
          const until = Math.min(end, (Math.floor(x / TILE) + 1) * TILE);
          for (const paint of layers) paint(line, y, x, until);
        }
      });
    },
    end: () => add(surface.history, record.step()),
    cancel: () => revert(record.step()),
  };
}

interface Line {
  from: Point;
  to: Point;
  radius: number;
}

/** Paints a piece of a row that lies in one tile. */
type Painter = (line: Line, y: number, begin: number, end: number) => void;
type Keep = (layer: Layer, index: number) => boolean;

function masker({ base, mask }: Surface, brush: Brush, keep: Keep): Painter {
  return (_, y, begin, end) => {
    const index = tileAt(mask, begin, y);
    keep(mask, index);
    const tile = owned(mask, index, base);
    const row = (y % TILE) * TILE;
    tile.fill(brush.erases ? 0 : 255, row + (begin % TILE), row + ((end - 1) % TILE) + 1);
  };
}

function painter({ base, paint }: Surface, brush: Brush, keep: Keep): Painter {
  // A stroke covers a pixel once, however often it crosses it: what it looked like before, and how much is covered.
  const covered = new Map<number, { before: Tile; by: Uint8Array }>();
  const hard = brush.isSoft ? null : coverOf(brush.opacity);
  return (line, y, begin, end) => {
    const index = tileAt(paint, begin, y);
    const isNew = keep(paint, index);
    const tile = owned(paint, index, base);
    if (isNew) covered.set(index, { before: tile.slice(), by: new Uint8Array(TILE * TILE) });
    const { before, by } = covered.get(index) as { before: Tile; by: Uint8Array };
    for (let x = begin; x < end; x++) {
      const at = (y % TILE) * TILE + (x % TILE);
      const cover = hard ?? softCover(line, brush, x, y);
      if (cover <= (by[at] as number)) continue;
      by[at] = cover;
      if (brush.erases) mix(tile, before, at * 4, base.data, (y * base.width + x) * 4, cover);
      else coverPixel(tile, before, at * 4, brush.colour, cover);
    }
  };
}

/** How much of a pixel's colour is covered, 1 to 255, by a share of over 0 up to 1. */
function coverOf(share: number): number {
  return Math.max(1, Math.round(share * 255));
}

function softCover(line: Line, brush: Brush, x: number, y: number): number {
  const distance = Math.sqrt(squaredDistance(line.from, line.to, x + 0.5, y + 0.5));
  return coverOf(brush.opacity * Math.min(1, Math.max(0, (2 * (line.radius - distance)) / line.radius)));
}

/** A colour over a pixel that may let something through itself ("over", colours not multiplied by alpha). */
function coverPixel(target: Tile, before: Tile, at: number, colour: Colour, cover: number): void {
  const below = (before[at + 3] as number) * (255 - cover);
  const alpha = cover * 255 + below;
  for (let n = 0; n < 3; n++) {
    target[at + n] = Math.round(((colour[n] as number) * cover * 255 + (before[at + n] as number) * below) / alpha);
  }
  target[at + 3] = Math.round(alpha / 255);
}

/** The picture's own pixel in the place of a painted one, by as much as the eraser covers. */
function mix(target: Tile, before: Tile, at: number, base: Uint8ClampedArray, from: number, cover: number): void {
  for (let n = 0; n < 4; n++) {
    const [old, own] = [before[at + n] as number, base[from + n] as number];
    target[at + n] = Math.round((own * cover + old * (255 - cover)) / 255);
  }
}

function owned(layer: Layer, index: number, base: Pixels): Tile {
  let tile = layer.tiles.get(index);
  if (!tile) layer.tiles.set(index, (tile = freshTile(layer, index, base)));
  return tile;
}

/** Turn the mask round: what was masked is not, and the other way. */
export function invertMask(surface: Surface): void {
  replaceTiles(surface, surface.mask, (index) => {
    const old = surface.mask.tiles.get(index);
    return fillTiles(surface.mask, index, (tile) => {
      for (let at = 0; at < tile.length; at++) tile[at] = 255 - (old ? (old[at] as number) : 0);
    });
  });
}

/** Put a mask of the picture's size (0 and 255, row by row) in the place of what is there. */
export function setMask(surface: Surface, whole: Uint8Array): void {
  const { width } = surface.base;
  replaceTiles(surface, surface.mask, (index) =>
    fillTiles(surface.mask, index, (tile, { x, y, columns, rows }) => {
      for (let row = 0; row < rows; row++) {
        const from = (y + row) * width + x;
        tile.set(whole.subarray(from, from + columns), row * TILE);
      }
    }),
  );
}

/** Take away all that is painted, as one step that can be undone. */
export function clearAll(surface: Surface): void {
  const record = recorder();
  for (const layer of [surface.paint, surface.mask]) {
    for (const index of layer.tiles.keys()) record.keep(layer, index);
    layer.tiles.clear();
  }
  add(surface.history, record.step());
}

function replaceTiles(surface: Surface, layer: Layer, tileFor: (index: number) => Tile): void {
  const record = recorder();
  for (let index = 0; index < tileCount(layer); index++) {
    const tile = tileFor(index);
    record.keep(layer, index);
    layer.tiles.set(index, tile);
  }
  add(surface.history, record.step());
}

/** Whether no pixel is masked. */
export function maskIsEmpty({ mask }: Surface): boolean {
  for (const [index, tile] of mask.tiles) {
    const { columns, rows } = placeOf(mask, index);
    for (let row = 0; row < rows; row++) if (tile.subarray(row * TILE, row * TILE + columns).includes(255)) return false;
  }
  return true;
}

/** The mask, a byte a pixel, 0 and 255 alone. */
export function maskOf({ mask }: Surface): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(mask.width * mask.height);
  flattenInto(mask, whole);
  return whole;
}

/** Whether anything is painted over the picture. */
export function isPainted({ paint }: Surface): boolean {
  return paint.tiles.size > 0;
}

/** The picture with what is painted over it; the same object where nothing is. */
export function flattened(surface: Surface): Pixels {
  if (!isPainted(surface)) return surface.base;
  const { width, height, data } = surface.base;
  const whole = { width, height, data: data.slice() };
  flattenInto(surface.paint, whole.data);
  return whole;
}

/** The colour that is seen at a pixel; null outside of the picture. */
export function colourAt({ base, paint }: Surface, x: number, y: number): Colour | null {
  if (x < 0 || y < 0 || x >= base.width || y >= base.height) return null;
  const tile = paint.tiles.get(tileAt(paint, x, y));
  const at = tile ? ((y % TILE) * TILE + (x % TILE)) * 4 : (y * base.width + x) * 4;
  const data = tile ?? base.data;
  return [data[at] as number, data[at + 1] as number, data[at + 2] as number];
}

/** The box around the tiles of a step. */
export function boxOf(step: readonly { layer: Layer; index: number }[]): Box | null {
  return step.reduce<Box | null>((box, { layer, index }) => {
    const { x, y, columns, rows } = placeOf(layer, index);
    return around(box, { left: x, top: y, right: x + columns, bottom: y + rows });
  }, null);
}
