/** Whether a file can be sent as a picture; one of a format that the API does not take becomes a PNG where it can. */

import { size } from "../texts";
import { headerOf, MAX_BYTES, MAX_PIXELS, MAX_SIDE } from "./header";
import { t } from "./texts";

export interface Checked {
  /** The picture to send; null where it cannot be. */
  blob: Blob | null;
  /** Why it cannot be sent, in words. */
  fault: string | null;
}

export async function checked(file: Blob): Promise<Checked> {
  const header = await headerOf(file);
  if (!header) {
    const png = await asPng(file);
    return png ? { blob: png, fault: null } : { blob: null, fault: t("unreadable") };
  }
  if (Math.max(header.width, header.height) > MAX_SIDE || header.width * header.height > MAX_PIXELS) {
    return { blob: null, fault: t("tooLarge", { width: header.width, height: header.height }) };
  }
  if (file.size > MAX_BYTES) return { blob: null, fault: t("tooManyBytes", { size: size(file.size), most: size(MAX_BYTES) }) };
  return { blob: file, fault: null };
}

/** What the browser can open and the API does not take (GIF, BMP, AVIF, …), as PNG; null where it cannot open it. */
async function asPng(file: Blob): Promise<Blob | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
