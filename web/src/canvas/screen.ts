/** Draws a board into its window: the picture once for each view, and over it the squares that are painted. */

import type { Box } from "./shapes";
import type { Mode, Surface } from "./surface";
import { placeOf, TILE, type Layer, type Tile } from "./tiles";
import type { Size, View } from "./view";

/** How a mask is shown: a colour that few pictures have, with the picture seen through it. */
const MASK_SHOWN = new Uint32Array(Uint8Array.of(122, 60, 255, 150).buffer)[0] as number;

export interface Screen {
  /** Draw. `box` are the pixels of the picture that changed since the last call; null: any of them. */
  draw: (what: Scene) => void;
  /** These pixels must be taken anew. */
  spoil: (box: Box | null) => void;
}

export interface Scene {
  surface: Surface;
  bitmap: ImageBitmap;
  mode: Mode;
  view: View;
  window: Size;
  /** Pixels of the screen for one of the window. */
  density: number;
}

/** A screen on a canvas. */
export function createScreen(canvas: HTMLCanvasElement): Screen {
  const backdrop = document.createElement("canvas");
  let shown: { bitmap: ImageBitmap; view: View; width: number; height: number } | null = null;
  const squares = new Map<Layer, Map<number, Square>>();

  /** The picture alone, drawn again only when it is looked at from elsewhere. */
  const picture = ({ bitmap, view, density }: Scene, width: number, height: number) => {
    if (shown?.bitmap === bitmap && shown.view === view && shown.width === width && shown.height === height) return;
    shown = { bitmap, view, width, height };
    backdrop.width = width;
    backdrop.height = height;
    const context = backdrop.getContext("2d");
    if (!context) return;
    smooth(context, view.scale * density);
    const edges = edgesOf(view, density, { left: 0, top: 0, right: bitmap.width, bottom: bitmap.height });
    // Workers show white through transparent pictures, so this does.
    context.fillStyle = "#fff";
    context.fillRect(...edges);
    context.drawImage(bitmap, ...edges);
  };

  const layer = (context: CanvasRenderingContext2D, one: Layer, { view, density, window }: Scene) => {
    let known = squares.get(one);
    if (!known) squares.set(one, (known = new Map()));
    for (const [index, tile] of one.tiles) {
      const { x, y, columns, rows } = placeOf(one, index);
      const box = { left: x, top: y, right: x + columns, bottom: y + rows };
      const [left, top, width, height] = edgesOf(view, density, box);
      if (left > window.width * density || top > window.height * density || left + width < 0 || top + height < 0) continue;
      let square = known.get(index);
      if (!square) known.set(index, (square = { canvas: document.createElement("canvas"), isFresh: false }));
      if (!square.isFresh) renew(square, one, tile);
      context.drawImage(square.canvas, 0, 0, columns, rows, left, top, width, height);
    }
  };

  return {
    draw(scene) {
      const { surface, mode, window, density, view } = scene;
      const [width, height] = [Math.round(window.width * density), Math.round(window.height * density)];
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      const context = canvas.getContext("2d");
      if (!context || !width || !height) return;
      for (const one of squares.keys()) if (one !== surface.paint && one !== surface.mask) squares.delete(one);
      picture(scene, width, height);
      context.clearRect(0, 0, width, height);
      context.drawImage(backdrop, 0, 0);
      smooth(context, view.scale * density);
      if (mode === "sketch" || mode === "sketch-mask") layer(context, surface.paint, scene);
      if (mode === "mask") layer(context, surface.mask, scene);
    },
    spoil(box) {
      for (const [one, known] of squares) {
        for (const [index, square] of known) {
          const { x, y } = placeOf(one, index);
          const isApart = box && (x >= box.right || y >= box.bottom || x + TILE <= box.left || y + TILE <= box.top);
          if (!isApart) square.isFresh = false;
        }
      }
    },
  };
}

/** Where a box of the picture lies on the canvas, on whole pixels: neighbours share their edges, without a seam. */
function edgesOf(view: View, density: number, box: Box): [number, number, number, number] {
  const across = (x: number) => Math.round((x * view.scale + view.x) * density);
  const down = (y: number) => Math.round((y * view.scale + view.y) * density);
  const [left, top] = [across(box.left), down(box.top)];
  return [left, top, across(box.right) - left, down(box.bottom) - top];
}

function smooth(context: CanvasRenderingContext2D, scale: number): void {
  context.imageSmoothingEnabled = scale < 1;
  context.imageSmoothingQuality = "high";
}

interface Square {
  canvas: HTMLCanvasElement;
  isFresh: boolean;
}

function renew(square: Square, layer: Layer, tile: Tile): void {
  const { canvas } = square;
  if (canvas.width !== TILE) canvas.width = canvas.height = TILE;
  const pixels = layer.channels === 4 ? tile : masked(tile);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, TILE, TILE), 0, 0);
  square.isFresh = true;
}

function masked(tile: Tile): Tile {
  const pixels: Tile = new Uint8ClampedArray(TILE * TILE * 4);
  const whole = new Uint32Array(pixels.buffer);
  for (let at = 0; at < tile.length; at++) if (tile[at]) whole[at] = MASK_SHOWN;
  return pixels;
}
