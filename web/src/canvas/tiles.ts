/** Layers of a picture in squares of 256 pixels. Only squares that somebody painted on are kept, and a step back keeps
 * no others, so memory grows with what is painted and not with the picture. */

import type { Pixels } from "../pictures";

export const TILE = 256;

export type Tile = Uint8ClampedArray<ArrayBuffer>;

export interface Layer {
  /** 4: the finished pixels (RGBA), where they are not the picture's own. 1: a mask, 0 where there is no tile. */
  channels: 1 | 4;
  width: number;
  height: number;
  tiles: Map<number, Tile>;
}

/** A layer with nothing on it. */
export function emptyLayer(channels: 1 | 4, width: number, height: number): Layer {
  return { channels, width, height, tiles: new Map() };
}

/** How many tiles lie side by side. */
export function tilesAcross(layer: Layer): number {
  return Math.ceil(layer.width / TILE);
}

/** How many tiles a whole layer has. */
export function tileCount(layer: Layer): number {
  return tilesAcross(layer) * Math.ceil(layer.height / TILE);
}

/** The pixel at which a tile begins, and how many of its columns and rows lie in the picture. */
export function placeOf(layer: Layer, index: number): { x: number; y: number; columns: number; rows: number } {
  const across = tilesAcross(layer);
  const x = (index % across) * TILE;
  const y = Math.floor(index / across) * TILE;
  return { x, y, columns: Math.min(TILE, layer.width - x), rows: Math.min(TILE, layer.height - y) };
}

/** The index of the tile with this pixel. */
export function tileAt(layer: Layer, x: number, y: number): number {
  return Math.floor(y / TILE) * tilesAcross(layer) + Math.floor(x / TILE);
}

/** What a tile shows before anybody paints on it: the picture's own pixels, or an empty mask. */
export function freshTile(layer: Layer, index: number, base: Pixels): Tile {
  const tile = new Uint8ClampedArray(TILE * TILE * layer.channels);
  if (layer.channels === 4) {
    const { x, y, columns, rows } = placeOf(layer, index);
    for (let row = 0; row < rows; row++) {
      const from = ((y + row) * base.width + x) * 4;
      tile.set(base.data.subarray(from, from + columns * 4), row * TILE * 4);
    }
  }
  return tile;
}

/** A tile for every square, made by `fill`, which writes into the tile that it gets. */
export function fillTiles(layer: Layer, index: number, fill: (tile: Tile, place: ReturnType<typeof placeOf>) => void): Tile {
  const tile: Tile = new Uint8ClampedArray(TILE * TILE * layer.channels);
  fill(tile, placeOf(layer, index));
  return tile;
}

/** The tiles written over an array of all pixels. */
export function flattenInto(layer: Layer, target: Uint8ClampedArray | Uint8Array): void {
  const { channels, width } = layer;
  for (const [index, tile] of layer.tiles) {
    const { x, y, columns, rows } = placeOf(layer, index);
    for (let row = 0; row < rows; row++) {
      const from = row * TILE * channels;
      target.set(tile.subarray(from, from + columns * channels), ((y + row) * width + x) * channels);
    }
  }
}
