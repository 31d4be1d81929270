/** Reading numbers and texts out of the bytes of a file, and packing them by zlib. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** The bytes of a blob. */
export async function bytesOf(blob: Blob): Promise<Bytes> {
  return new Uint8Array(await blob.arrayBuffer());
}

/** A whole number of `length` bytes at `at`, the most significant byte first; bytes behind the end count as 0. */
export function bigEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let index = at; index < at + length; index++) value = value * 256 + (bytes[index] ?? 0);
  return value;
}

/** The same, the least significant byte first. */
export function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let index = at + length - 1; index >= at; index--) value = value * 256 + (bytes[index] ?? 0);
  return value;
}

/** The bytes as text of one byte a character (ISO 8859-1), which no byte can break. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** The bytes of a text whose characters are all below 256. */
export function fromLatin1(text: string): Bytes {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 255);
}

/** Whether the bytes at `at` are those of this text. */
export function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** Several pieces in one. */
export function joined(pieces: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The bytes packed by zlib. */
export function packed(bytes: Bytes): Promise<Bytes> {
  return through(bytes, new CompressionStream("deflate"));
}

/** What zlib packed; null where it is broken, or unpacks to more than `limit` bytes. */
export async function unpacked(bytes: Bytes, limit: number): Promise<Bytes | null> {
  try {
    return await through(bytes, new DecompressionStream("deflate"), limit);
  } catch {
    return null;
  }
}

async function through(bytes: Bytes, stream: GenericTransformStream, limit = Infinity): Promise<Bytes> {
  const writer = (stream.writable as WritableStream<Bytes>).getWriter();
  // Its errors reach the reader too, where they are seen.
  const written = writer.write(bytes).then(() => writer.close());
  written.catch(() => undefined);
  const reader = (stream.readable as ReadableStream<Bytes>).getReader();
  const pieces: Bytes[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(pieces);
    pieces.push(value);
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new RangeError("unpacks to more than is taken");
    }
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** The checksum of a PNG chunk's kind and content (PNG 1.2, annex D). */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    value = (CRC_TABLE[(value ^ (bytes[at] as number)) & 255] as number) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
