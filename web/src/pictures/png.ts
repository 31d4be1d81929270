/** PNG files: their chunks and texts, the pixels of one that is read, and the bytes of one that is written. */

import { bigEndian, crc32, fromLatin1, hasText, joined, latin1, packed, unpacked, type Bytes } from "./bytes";

export interface Chunk {
  kind: string;
  content: Bytes;
  /** Whether its checksum is right. */
  intact: boolean;
}

export const PNG_SIGNATURE = fromLatin1("\x89PNG\r\n\x1a\n");
const MAX_TEXT = 1024 * 1024;

/** The chunks of a PNG up to its end, or to where it is cut off. */
export function chunksOf(bytes: Bytes): Chunk[] {
  const found: Chunk[] = [];
  for (let at = PNG_SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = bigEndian(bytes, at, 4);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    const kind = latin1(bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z0-9]{4}$/.test(kind)) break;
    // Pixels have a checksum of their own inside; to make another one of megabytes takes time.
    const intact = kind === "IDAT" || crc32(bytes.subarray(at + 4, end)) === bigEndian(bytes, end, 4);
    found.push({ kind, content: bytes.subarray(at + 8, end), intact });
    if (kind === "IEND") break;
    at = end + 4;
  }
  return found;
}

/** The bytes of the texts of a PNG by keyword; of several with one keyword, the last. */
export async function textsOf(chunks: readonly Chunk[]): Promise<Map<string, { bytes: Bytes; isUtf8: boolean }>> {
  const texts = new Map<string, { bytes: Bytes; isUtf8: boolean }>();
  for (const { kind, content, intact } of chunks) {
    if (!intact || content.length > MAX_TEXT || !/^(?:tEXt|zTXt|iTXt)$/.test(kind)) continue;
    const end = content.indexOf(0);
    if (end < 0) continue;
    const bytes = await textOf(kind, content.subarray(end + 1));
    if (bytes) texts.set(latin1(content.subarray(0, end)), { bytes, isUtf8: kind === "iTXt" });
  }
  return texts;
}

async function textOf(kind: string, rest: Bytes): Promise<Bytes | null> {
  if (kind === "tEXt") return rest;
  if (kind === "zTXt") return rest[0] === 0 ? unpacked(rest.subarray(1), MAX_TEXT) : null;
  // Whether it is packed, the method, the language and the translated keyword, each with a zero behind it, the text.
  const language = rest.indexOf(0, 2);
  const keyword = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (keyword < 0) return null;
  const text = rest.subarray(keyword + 1);
  if (rest[0] === 0) return text;
  return rest[1] === 0 ? unpacked(text, MAX_TEXT) : null;
}

/** A PNG of 8 bits a channel: `channels` 1 (grey), 3 (RGB) or 4 (RGBA, not premultiplied). `data` has a byte for each
 * channel of each pixel, row by row. */
export async function encodePng(
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  data: Uint8Array | Uint8ClampedArray,
): Promise<Blob> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = { 1: 0, 3: 2, 4: 6 }[channels];
  const pixels = await packed(filtered(width * channels, height, channels, data));
  const pieces = [PNG_SIGNATURE, ...chunk("IHDR", header), ...chunk("IDAT", pixels), ...chunk("IEND", new Uint8Array())];
  return new Blob(pieces, { type: "image/png" });
}

/** The same PNG with a text in it, in the encoding that its characters need. */
export function withText(png: Bytes, keyword: string, text: string): Bytes {
  const isLatin = [...text].every((character) => character.charCodeAt(0) < 256);
  const content = isLatin
    ? fromLatin1(`${keyword}\0${text}`)
    : joined([fromLatin1(`${keyword}\0\0\0\0\0`), new TextEncoder().encode(text)]);
  const begin = PNG_SIGNATURE.length + 25;
  return joined([png.subarray(0, begin), ...chunk(isLatin ? "tEXt" : "iTXt", content), png.subarray(begin)]);
}

function chunk(kind: string, content: Bytes): Bytes[] {
  const body = joined([fromLatin1(kind), content]);
  const ends = new Uint8Array(8);
  const view = new DataView(ends.buffer);
  view.setUint32(0, content.length);
  view.setUint32(4, crc32(body));
  return [ends.subarray(0, 4), body, ends.subarray(4)];
}

const NONE = 0;
const PAETH = 4;

/** Rows with their filter before them: none for grey masks, which pack well, and Paeth's for pictures. */
function filtered(stride: number, height: number, channels: number, data: Uint8Array | Uint8ClampedArray): Bytes {
  const rows = new Uint8Array((stride + 1) * height);
  const filter = channels === 1 ? NONE : PAETH;
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = y * (stride + 1) + 1;
    rows[to - 1] = filter;
    if (filter === NONE) {
      rows.set(data.subarray(from, from + stride), to);
      continue;
    }
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : (data[from + x - channels] as number);
      const above = y === 0 ? 0 : (data[from + x - stride] as number);
      const corner = x < channels || y === 0 ? 0 : (data[from + x - stride - channels] as number);
      rows[to + x] = (data[from + x] as number) - paeth(left, above, corner);
    }
  }
  return rows;
}

/** Paeth's predictor (PNG 1.2, 6.6). */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

export interface Decoded {
  width: number;
  height: number;
  /** RGBA, not premultiplied. */
  data: Uint8ClampedArray<ArrayBuffer>;
}

/** The pixels of a PNG just as they are stored. Canvases of browsers multiply colours by their alpha and lose some of
 * them, and they apply colour profiles, which no worker does. Null for a PNG that is interlaced or broken: those are
 * left to the browser. */
export async function decodePng(bytes: Bytes): Promise<Decoded | null> {
  const chunks = chunksOf(bytes);
  const header = chunks[0]?.kind === "IHDR" ? chunks[0].content : null;
  if (!header || header.length < 13 || header[12] !== 0) return null;
  const [width, height] = [bigEndian(header, 0, 4), bigEndian(header, 4, 4)];
  const [depth, colours] = [header[8] as number, header[9] as number];
  const samples = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colours];
  if (!samples || !width || !height || ![1, 2, 4, 8, 16].includes(depth)) return null;
  const stride = Math.ceil((width * samples * depth) / 8);
  const packedPixels = joined(chunks.filter(({ kind }) => kind === "IDAT").map(({ content }) => content));
  const rows = await unpacked(packedPixels, (stride + 1) * height + 65536);
  if (!rows || rows.length < (stride + 1) * height) return null;
  if (!unfilter(rows, stride, height, Math.max(1, (samples * depth) >> 3))) return null;
  const find = (kind: string) => chunks.find((one) => one.kind === kind && one.intact)?.content ?? null;
  const data = coloured({ width, height, depth, colours, samples, stride, rows }, find("PLTE"), find("tRNS"));
  return data && { width, height, data };
}

function unfilter(rows: Uint8Array, stride: number, height: number, step: number): boolean {
  for (let y = 0; y < height; y++) {
    const begin = y * (stride + 1) + 1;
    const filter = rows[begin - 1] as number;
    if (filter > PAETH) return false;
    if (filter === NONE) continue;
    for (let x = begin; x < begin + stride; x++) {
      const left = x - begin < step ? 0 : (rows[x - step] as number);
      const above = y === 0 ? 0 : (rows[x - stride - 1] as number);
      const corner = x - begin < step || y === 0 ? 0 : (rows[x - stride - 1 - step] as number);
      const guess =
        filter === 1 ? left : filter === 2 ? above : filter === 3 ? (left + above) >> 1 : paeth(left, above, corner);
      rows[x] = (rows[x] as number) + guess;
    }
  }
  return true;
}

interface Rows {
  width: number;
  height: number;
  depth: number;
  colours: number;
  samples: number;
  stride: number;
  rows: Uint8Array;
}

/** RGBA of unfiltered rows. Samples of 16 bits lose their lower byte. Null without a palette where one is needed. */
function coloured(picture: Rows, palette: Bytes | null, clear: Bytes | null): Uint8ClampedArray<ArrayBuffer> | null {
  const { width, height, depth, colours, samples, stride, rows } = picture;
  if (colours === 3 && !palette) return null;
  const data = new Uint8ClampedArray(width * height * 4);
  const most = depth === 16 ? 65535 : 2 ** depth - 1;
  const isGrey = samples < 3;
  const alphaAt = colours === 4 ? 1 : colours === 6 ? 3 : -1;
  const key = clear && alphaAt < 0 && colours !== 3 ? Array.from({ length: samples }, (_, n) => bigEndian(clear, n * 2, 2)) : null;
  const read = (row: number, index: number): number => {
    if (depth === 8) return rows[row + index] as number;
    if (depth === 16) return bigEndian(rows, row + index * 2, 2);
    const bit = index * depth;
    return ((rows[row + (bit >> 3)] as number) >> (8 - depth - (bit & 7))) & most;
  };
  const eight = (value: number) => (depth === 16 ? value >> 8 : depth === 8 ? value : (value * 255) / most);
  for (let y = 0, to = 0; y < height; y++) {
    const row = y * (stride + 1) + 1;
    for (let x = 0; x < width; x++, to += 4) {
      const at = x * samples;
      const first = read(row, at);
      if (palette && colours === 3) {
        for (let n = 0; n < 3; n++) data[to + n] = palette[first * 3 + n] ?? 0;
        data[to + 3] = clear?.[first] ?? 255;
        continue;
      }
      const second = isGrey ? first : read(row, at + 1);
      const third = isGrey ? first : read(row, at + 2);
      data[to] = eight(first);
      data[to + 1] = eight(second);
      data[to + 2] = eight(third);
      const isClear = key && first === key[0] && (isGrey || (second === key[1] && third === key[2]));
      data[to + 3] = alphaAt < 0 ? (isClear ? 0 : 255) : eight(read(row, at + alphaAt));
    }
  }
  return data;
}

/** The same PNG with nothing in it but what its pixels are decoded by. */
export function barePng(bytes: Bytes): Bytes {
  const kept = chunksOf(bytes).filter(({ kind, intact }) => /^(IHDR|PLTE|IDAT|IEND)$/.test(kind) || (kind === "tRNS" && intact));
  return joined([PNG_SIGNATURE, ...kept.flatMap(({ kind, content }) => chunk(kind, content))]);
}

/** EXIF and XMP of a PNG: from the chunk eXIf, and from texts, as ImageMagick and others write them. */
export async function pngMetadata(bytes: Bytes): Promise<{ width: number; height: number; exif: Bytes | null; xmp: Bytes | null }> {
  const chunks = chunksOf(bytes);
  const header = chunks[0]?.kind === "IHDR" ? chunks[0].content : new Uint8Array(8);
  const texts = await textsOf(chunks);
  let exif = texts.get("exif")?.bytes ?? null;
  for (const { kind, content, intact } of chunks) if (kind === "eXIf" && intact) exif = content;
  const profile = texts.get("Raw profile type exif");
  if (!exif?.length && profile) exif = unhexed(latin1(profile.bytes));
  const xmp = texts.get("XML:com.adobe.xmp")?.bytes ?? null;
  return { width: bigEndian(header, 0, 4), height: bigEndian(header, 4, 4), exif: exif?.length ? exif : null, xmp };
}

/** The block in a raw profile: an empty line, its name, its length, and then hexadecimal lines. */
function unhexed(text: string): Bytes | null {
  const hex = text.split("\n").slice(3).join("").replace(/\s/g, "");
  if (hex.length % 2 || /[^0-9a-f]/i.test(hex)) return null;
  return Uint8Array.from({ length: hex.length / 2 }, (_, n) => parseInt(hex.slice(n * 2, n * 2 + 2), 16));
}

/** Whether the file begins as a PNG does. */
export function isPng(bytes: Uint8Array): boolean {
  return hasText(bytes, 0, "\x89PNG\r\n\x1a\n");
}
