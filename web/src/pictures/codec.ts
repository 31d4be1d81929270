/** From files to pixels and back. Runs in a worker, so that the page does not stand still over a large picture. */

import { bytesOf, type Bytes } from "./bytes";
import { bare, headerIn, MAX_PIXELS, MAX_SIDE, type PictureHeader } from "./header";
import { decodePng, encodePng } from "./png";
import { isOpaque, upright, withoutAlpha, type Pixels } from "./pixels";

/** Why a file cannot be painted on. */
export type Fault = "unreadable" | "tooLarge";

export interface DecodedPicture {
  pixels: Pixels;
  /** Whether the API takes the file as it is; every other one is sent as a PNG. */
  isTaken: boolean;
}

export class CodecFault extends Error {
  constructor(readonly fault: Fault) {
    super(fault);
  }
}

/** The pixels of a picture, upright, as the worker of a job sees them. Throws CodecFault. */
export async function decode(blob: Blob): Promise<DecodedPicture> {
  const bytes = await bytesOf(blob);
  const header = await headerIn(bytes);
  if (!header) return { pixels: await byBrowser(blob, null), isTaken: false };
  check(header);
  const stored = (header.format === "png" ? await decodePng(bytes) : null) ?? (await barePixels(bytes, header));
  return { pixels: upright(stored, header.orientation), isTaken: true };
}

/** A picture as PNG; without alpha where nothing lets anything through. */
export function encodePicture(pixels: Pixels): Promise<Blob> {
  const { width, height, data } = pixels;
  return isOpaque(pixels) ? encodePng(width, height, 3, withoutAlpha(pixels)) : encodePng(width, height, 4, data);
}

/** A mask as PNG of 8-bit grey. */
export function encodeMask(width: number, height: number, mask: Uint8Array): Promise<Blob> {
  return encodePng(width, height, 1, mask);
}

function barePixels(bytes: Bytes, header: PictureHeader): Promise<Pixels> {
  return byBrowser(new Blob([bare(bytes, header.format)], { type: `image/${header.format}` }), header);
}

/** What the browser decodes. Without a header it is a file of another format, and the browser turns it upright. */
async function byBrowser(blob: Blob, header: PictureHeader | null): Promise<Pixels> {
  const bitmap = await createImageBitmap(blob, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
    imageOrientation: "from-image",
  }).catch(() => {
    throw new CodecFault("unreadable");
  });
  const { width, height } = bitmap;
  if (!header) check({ width, height });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new CodecFault("tooLarge");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

function check({ width, height }: { width: number; height: number }): void {
  if (Math.max(width, height) > MAX_SIDE || width * height > MAX_PIXELS) throw new CodecFault("tooLarge");
}
