/** Which way up a picture is, as EXIF or XMP says it. The rules are those of the API (`images/orientation.py`): EXIF
 * first; XMP only where EXIF has no such tag; a broken block says nothing. */

import { bigEndian, hasText, latin1, littleEndian } from "./bytes";

export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 274;
const USER_COMMENT_TAG = 0x9286;
const EXIF_DIRECTORY_TAG = 0x8769;
/** TIFF's types of whole numbers: their bytes, and whether they have a sign. */
const WHOLE_NUMBERS: Record<number, [bytes: number, signed: boolean]> = {
  3: [2, false],
  4: [4, false],
  6: [1, true],
  8: [2, true],
  9: [4, true],
  13: [4, false],
};

/** The orientation (1 to 8, as in EXIF) that a picture's EXIF block and XMP packet tell; 1 where they tell none. */
export function orientationOf(exif: Uint8Array | null, xmp: Uint8Array | null): Orientation {
  let found = exif ? wholeNumber(exif, ORIENTATION_TAG) : null;
  if (found === null && xmp) {
    const match = /tiff:Orientation(?:="|>)([0-9])/.exec(latin1(xmp));
    found = match ? Number(match[1]) : null;
  }
  return found !== null && found >= 1 && found <= 8 ? (found as Orientation) : 1;
}

/** Whether a picture of this orientation is as wide as its stored pixels are high. */
export function swapsSides(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** The user's comment in an EXIF block, which is where the WebUI writes its parameters in JPEG and WebP files. */
export function userComment(exif: Uint8Array): string | null {
  const tiff = tiffOf(exif);
  const directory = tiff && entry(tiff, tiff.first, EXIF_DIRECTORY_TAG);
  const comment = directory && entry(tiff, tiff.number(directory.at + 8, 4), USER_COMMENT_TAG);
  if (!comment) return null;
  const count = tiff.number(comment.at + 4, 4);
  const begin = count > 4 ? tiff.number(comment.at + 8, 4) : comment.at + 8;
  const content = tiff.bytes.subarray(begin, begin + count);
  const text = content.subarray(8);
  if (hasText(content, 0, "UNICODE\0")) return utf16(text, tiff.isLittle);
  if (hasText(content, 0, "ASCII\0\0\0")) return latin1(text).replace(/\0+$/, "");
  return new TextDecoder().decode(hasText(content, 0, "\0\0\0\0\0\0\0\0") ? text : content).replace(/\0+$/, "");
}

/** UTF-16 in the order that the text itself shows: writers do not agree on it. Most texts have letters below 256. */
function utf16(bytes: Uint8Array, isLittle: boolean): string {
  let even = 0;
  let odd = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    if (bytes[at] === 0) even++;
    if (bytes[at + 1] === 0) odd++;
  }
  const little = even === odd ? isLittle : odd > even;
  return new TextDecoder(little ? "utf-16le" : "utf-16be").decode(bytes).replace(/\0+$/, "");
}

interface Tiff {
  bytes: Uint8Array;
  isLittle: boolean;
  first: number;
  number: (at: number, length: number) => number;
}

function tiffOf(block: Uint8Array): Tiff | null {
  let bytes = block;
  for (let times = 0; times < 2 && hasText(bytes, 0, "Exif\0\0"); times++) bytes = bytes.subarray(6);
  const isLittle = hasText(bytes, 0, "II");
  if (bytes.length < 8 || (!isLittle && !hasText(bytes, 0, "MM"))) return null;
  if (!hasText(bytes, 2, "*\0") && !hasText(bytes, 2, "\0*")) return null;
  const number = (at: number, length: number) => (isLittle ? littleEndian : bigEndian)(bytes, at, length);
  return { bytes, isLittle, first: number(4, 4), number };
}

/** The first entry of a directory with this tag, of one of these types; null where it is not there, or the block ends
 * before it. */
function entry(tiff: Tiff, directory: number, tag: number, types?: ReadonlySet<number>): { at: number } | null {
  if (directory + 2 > tiff.bytes.length) return null;
  const count = tiff.number(directory, 2);
  for (let at = directory + 2; at < directory + 2 + 12 * count; at += 12) {
    if (at + 8 > tiff.bytes.length) return null;
    if (tiff.number(at, 2) !== tag) continue;
    if (!types || (types.has(tiff.number(at + 2, 2)) && tiff.number(at + 4, 4) > 0)) return { at };
  }
  return null;
}

const WHOLE = new Set(Object.keys(WHOLE_NUMBERS).map(Number));

function wholeNumber(block: Uint8Array, tag: number): number | null {
  const tiff = tiffOf(block);
  const found = tiff && entry(tiff, tiff.first, tag, WHOLE);
  if (!found) return null;
  const [length, signed] = WHOLE_NUMBERS[tiff.number(found.at + 2, 2)] as [number, boolean];
  // Values of up to four bytes in all stand in the entry itself; others where it points to.
  const isInside = length * tiff.number(found.at + 4, 4) <= 4;
  const at = isInside ? found.at + 8 : tiff.number(found.at + 8, 4);
  if (at + length > tiff.bytes.length) return null;
  const value = tiff.number(at, length);
  return signed && value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
}
