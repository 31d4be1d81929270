/** The infotext of a picture: the parameters that the WebUI, and Darkroom's worker, write into the file. */

import { bytesOf, latin1, type Bytes } from "./bytes";
import { factsOf, formatOf } from "./header";
import { userComment } from "./orientation";
import { chunksOf, textsOf } from "./png";

const KEYWORD = "parameters";

/** The infotext of a PNG, JPEG or WebP; null where there is none. */
export async function infotextOf(blob: Blob): Promise<string | null> {
  return infotextIn(await bytesOf(blob));
}

/** The same of bytes that are here already. */
export async function infotextIn(bytes: Bytes): Promise<string | null> {
  const format = formatOf(bytes);
  if (!format) return null;
  if (format === "png") {
    const text = (await textsOf(chunksOf(bytes))).get(KEYWORD);
    if (text) return text.isUtf8 ? new TextDecoder().decode(text.bytes) : decoded(text.bytes);
  }
  const { exif } = await factsOf(bytes, format);
  return (exif && userComment(exif)) || null;
}

/** A text that should be ISO 8859-1. Some programs write UTF-8 there, which other texts hardly ever are by chance. */
function decoded(bytes: Bytes): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return latin1(bytes);
  }
}
