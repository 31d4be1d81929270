/** Whole pictures as arrays of bytes, and what is done with them pixel by pixel. */

/** A picture: RGBA, not multiplied by alpha, row by row, upright. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray<ArrayBuffer>;
}

/** Stored pixels turned so that the picture stands upright; `orientation` is EXIF's, 1 to 8. */
export function upright(stored: Pixels, orientation: number): Pixels {
  if (orientation <= 1) return stored;
  const { width, height } = stored;
  const swaps = orientation >= 5;
  const target: Pixels = {
    width: swaps ? height : width,
    height: swaps ? width : height,
    data: new Uint8ClampedArray(stored.data.length),
  };
  const from = new Uint32Array(stored.data.buffer, stored.data.byteOffset, width * height);
  const to = new Uint32Array(target.data.buffer);
  const flipsX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipsY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  for (let y = 0, at = 0; y < target.height; y++) {
    for (let x = 0; x < target.width; x++, at++) {
      const across = swaps ? y : x;
      const down = swaps ? x : y;
      const column = flipsX ? width - 1 - across : across;
      const row = flipsY ? height - 1 - down : down;
      to[at] = from[row * width + column] as number;
    }
  }
  return target;
}

/** Whether no pixel lets anything through. */
export function isOpaque({ data }: Pixels): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

/** Red, green and blue alone. */
export function withoutAlpha({ width, height, data }: Pixels): Uint8Array<ArrayBuffer> {
  const bare = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    bare[to] = data[from] as number;
    bare[to + 1] = data[from + 1] as number;
    bare[to + 2] = data[from + 2] as number;
  }
  return bare;
}

/** A mask of 0 and 255 from any picture, and whether it had something in between. It is understood as the worker does
 * (`worker/pictures.py`): of a picture with transparency the alpha counts, from 129 on; of any other the brightness,
 * from 128 on. */
export function thresholded(picture: Pixels): { mask: Uint8Array<ArrayBuffer>; wasGrey: boolean } {
  const { width, height, data } = picture;
  const byAlpha = !isOpaque(picture);
  const mask = new Uint8Array(width * height);
  let wasGrey = false;
  for (let at = 0, from = 0; at < mask.length; at++, from += 4) {
    const value = byAlpha ? (data[from + 3] as number) : brightness(data, from);
    if (value !== 0 && value !== 255) wasGrey = true;
    mask[at] = value > (byAlpha ? 128 : 127) ? 255 : 0;
  }
  return { mask, wasGrey };
}

/** ITU-R 601's brightness in whole numbers, as Pillow makes it (`convert("L")`). */
function brightness(data: Uint8ClampedArray, at: number): number {
  const sum = (data[at] as number) * 19595 + (data[at + 1] as number) * 38470 + (data[at + 2] as number) * 7471;
  return (sum + 0x8000) >> 16;
}
