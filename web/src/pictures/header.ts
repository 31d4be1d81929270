/** What a picture file is before its pixels are looked at: format, size, which way up. The API decides the same things
 * in `images/header.py`; the page must show a picture, and paint a mask for it, just as the worker will see it. */

import { bigEndian, bytesOf, hasText, joined, littleEndian, type Bytes } from "./bytes";
import { orientationOf, swapsSides, type Orientation } from "./orientation";
import { barePng, isPng, pngMetadata } from "./png";

export type PictureFormat = "png" | "jpeg" | "webp";

export interface PictureHeader {
  format: PictureFormat;
  /** Pixels as the picture is shown, upright. */
  width: number;
  height: number;
  orientation: Orientation;
}

/** The API's limits of a picture. */
export const MAX_BYTES = 32 * 1024 * 1024;
export const MAX_SIDE = 8192;
export const MAX_PIXELS = 50_000_000;

interface Facts {
  width: number;
  height: number;
  exif: Bytes | null;
  xmp: Bytes | null;
}

/** The format that a file's first bytes tell; null for one that the API does not take. */
export function formatOf(bytes: Uint8Array): PictureFormat | null {
  if (isPng(bytes)) return "png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "jpeg";
  return hasText(bytes, 0, "RIFF") && hasText(bytes, 8, "WEBP") ? "webp" : null;
}

/** Format, upright size and orientation of a picture; null for one that the API does not take, or that is broken. */
export async function headerOf(blob: Blob): Promise<PictureHeader | null> {
  return headerIn(await bytesOf(blob));
}

/** The same of bytes that are here already. */
export async function headerIn(bytes: Bytes): Promise<PictureHeader | null> {
  const format = formatOf(bytes);
  const facts = format && (await factsOf(bytes, format));
  if (!facts || facts.width < 1 || facts.height < 1) return null;
  const orientation = orientationOf(facts.exif, facts.xmp);
  const [width, height] = swapsSides(orientation) ? [facts.height, facts.width] : [facts.width, facts.height];
  return { format, width, height, orientation };
}

/** Size of the stored pixels, EXIF and XMP. */
export async function factsOf(bytes: Bytes, format: PictureFormat): Promise<Facts> {
  if (format === "png") return pngMetadata(bytes);
  return format === "jpeg" ? jpegFacts(bytes) : webpFacts(bytes);
}

/** The file without all that stands beside its pixels: a browser that decodes it turns nothing, and applies no colour
 * profile, as the worker does neither. */
export function bare(bytes: Bytes, format: PictureFormat): Bytes {
  if (format === "png") return barePng(bytes);
  return format === "jpeg" ? bareJpeg(bytes) : bareWebp(bytes);
}

interface Segment {
  marker: number;
  at: number;
  length: number;
}

const SCAN = 0xda;
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";

/** The segments of a JPEG up to its first scan (ITU-T T.81, annex B). */
function segmentsOf(bytes: Uint8Array): Segment[] {
  const found: Segment[] = [];
  for (let at = 2; at + 1 < bytes.length; ) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0 || bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1] as number;
    at += 2;
    if ((marker >= 0xd0 && marker <= 0xd8) || marker === 1) continue;
    const length = bigEndian(bytes, at, 2);
    if (marker === 0xd9 || length < 2 || at + length > bytes.length) break;
    found.push({ marker, at: at + 2, length: length - 2 });
    if (marker === SCAN) break;
    at += length;
  }
  return found;
}

function jpegFacts(bytes: Bytes): Facts {
  const facts: Facts = { width: 0, height: 0, exif: null, xmp: null };
  for (const { marker, at, length } of segmentsOf(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) {
      facts.height = bigEndian(bytes, at + 1, 2);
      facts.width = bigEndian(bytes, at + 3, 2);
    } else if (marker === 0xe1 && hasText(bytes, at, EXIF)) {
      // A block that is too long for one segment goes on in the next.
      const more = bytes.subarray(at + EXIF.length, at + length);
      facts.exif = facts.exif ? joined([facts.exif, more]) : more;
    } else if (marker === 0xe1 && hasText(bytes, at, XMP)) {
      facts.xmp = bytes.subarray(at + XMP.length, at + length);
    }
  }
  return facts;
}

function bareJpeg(bytes: Bytes): Bytes {
  const pieces = [bytes.subarray(0, 2)];
  for (const { marker, at, length } of segmentsOf(bytes)) {
    if (marker === SCAN) {
      pieces.push(bytes.subarray(at - 4));
      break;
    }
    // JFIF's and Adobe's segments decide how colours are decoded.
    const tellsColours =
      (marker === 0xe0 && length >= 14 && hasText(bytes, at, "JFIF\0")) ||
      (marker === 0xee && length >= 12 && hasText(bytes, at, "Adobe"));
    if ((marker >= 0xc0 && marker <= 0xdf) || tellsColours) pieces.push(bytes.subarray(at - 4, at + length));
  }
  return joined(pieces);
}

/** Kind, offset and length of each chunk of a WebP that is there whole (RFC 9649). */
function webpChunks(bytes: Uint8Array): { kind: string; at: number; length: number }[] {
  const found: { kind: string; at: number; length: number }[] = [];
  const end = Math.min(bytes.length, 8 + littleEndian(bytes, 4, 4));
  for (let at = 12; at + 8 <= end; ) {
    const length = littleEndian(bytes, at + 4, 4);
    if (at + 8 + length > end) break;
    found.push({ kind: String.fromCharCode(...bytes.subarray(at, at + 4)), at: at + 8, length });
    at += 8 + length + (length % 2);
  }
  return found;
}

function webpFacts(bytes: Bytes): Facts {
  const chunks = webpChunks(bytes);
  const first = chunks[0];
  const facts: Facts = { width: 0, height: 0, exif: null, xmp: null };
  if (!first) return facts;
  const { at } = first;
  if (first.kind === "VP8X") {
    facts.width = littleEndian(bytes, at + 4, 3) + 1;
    facts.height = littleEndian(bytes, at + 7, 3) + 1;
    const flags = bytes[at] ?? 0;
    const find = (kind: string, flag: number) => {
      const one = flags & flag ? chunks.find((each) => each.kind === kind) : undefined;
      return one ? bytes.subarray(one.at, one.at + one.length) : null;
    };
    facts.exif = find("EXIF", 0x08);
    facts.xmp = find("XMP ", 0x04);
  } else if (first.kind === "VP8 " && hasText(bytes, at + 3, "\x9d\x01\x2a")) {
    facts.width = littleEndian(bytes, at + 6, 2) & 0x3fff;
    facts.height = littleEndian(bytes, at + 8, 2) & 0x3fff;
  } else if (first.kind === "VP8L" && bytes[at] === 0x2f) {
    const bits = littleEndian(bytes, at + 1, 4);
    facts.width = (bits & 0x3fff) + 1;
    facts.height = (Math.floor(bits / 2 ** 14) & 0x3fff) + 1;
  }
  return facts;
}

function bareWebp(bytes: Bytes): Bytes {
  const pieces: Bytes[] = [];
  for (const { kind, at, length } of webpChunks(bytes)) {
    if (!["VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF"].includes(kind)) continue;
    const whole = bytes.slice(at - 8, at + length + (length % 2));
    // Alpha and animation are all that is left of the flags when nothing but pixels is left of the file.
    if (kind === "VP8X") whole[8] = (whole[8] ?? 0) & 0x12;
    pieces.push(whole);
  }
  const body = joined(pieces);
  const head = new Uint8Array(12);
  head.set(bytes.subarray(0, 12));
  new DataView(head.buffer).setUint32(4, body.length + 4, true);
  return joined([head, body]);
}
