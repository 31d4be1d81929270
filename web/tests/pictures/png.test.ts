import { deflateSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { bytesOf, crc32, fromLatin1, joined, type Bytes } from "../../src/pictures/bytes";
import { infotextIn } from "../../src/pictures/infotext";
import { barePng, chunksOf, decodePng, encodePng, withText } from "../../src/pictures/png";

function noise(length: number): Uint8ClampedArray<ArrayBuffer> {
  let seed = 3;
  return Uint8ClampedArray.from({ length }, () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) >> 16);
}

function chunk(kind: string, content: Uint8Array): Bytes {
  const body = joined([fromLatin1(kind), content]);
  const ends = new DataView(new ArrayBuffer(8));
  ends.setUint32(0, content.length);
  ends.setUint32(4, crc32(body));
  const bytes = new Uint8Array(ends.buffer);
  return joined([bytes.subarray(0, 4), body, bytes.subarray(4)]);
}

function png(depth: number, colours: number, width: number, rows: number[][], more: Bytes[] = []): Bytes {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, rows.length);
  header.setUint8(8, depth);
  header.setUint8(9, colours);
  const signature = fromLatin1("\x89PNG\r\n\x1a\n");
  const pixels = chunk("IDAT", deflateSync(Uint8Array.from(rows.flat())));
  return joined([signature, chunk("IHDR", new Uint8Array(header.buffer)), ...more, pixels, chunk("IEND", new Uint8Array())]);
}

describe("a PNG that is written", () => {
  it("keeps every pixel, also under clear ones", async () => {
    const data = noise(37 * 23 * 4);
    const read = await decodePng(await bytesOf(await encodePng(37, 23, 4, data)));
    expect(read).toEqual({ width: 37, height: 23, data });
  });

  it("keeps colours without alpha", async () => {
    const data = noise(30 * 20 * 3);
    const read = await decodePng(await bytesOf(await encodePng(30, 20, 3, data)));
    expect(Uint8ClampedArray.from(read?.data.filter((_, at) => at % 4 < 3) ?? [])).toEqual(data);
  });

  it("is a mask of 8-bit grey with the values that went in", async () => {
    const data = noise(65 * 41).map((value) => (value > 99 ? 255 : 0));
    const bytes = await bytesOf(await encodePng(65, 41, 1, data));
    expect([...(chunksOf(bytes)[0]?.content ?? [])].slice(8)).toEqual([8, 0, 0, 0, 0]);
    const read = await decodePng(bytes);
    expect(Uint8ClampedArray.from(read?.data.filter((_, at) => at % 4 === 0) ?? [])).toEqual(data);
    expect(chunksOf(bytes).every(({ intact }) => intact)).toBe(true);
  });
});

describe("a PNG of another program", () => {
  it("is read in each of the five filters", async () => {
    const rows = [
      [0, 10, 20, 30],
      [1, 5, 5, 5],
      [2, 1, 1, 1],
      [3, 4, 4, 4],
      [4, 250, 2, 3],
    ];
    const read = await decodePng(png(8, 0, 3, rows));
    const red = [...(read?.data ?? [])].filter((_, at) => at % 4 === 0);
    // Worked out by hand from PNG 1.2, chapter 6.
    expect(red).toEqual([10, 20, 30, 5, 10, 15, 6, 11, 16, 7, 13, 18, 1, 9, 16]);
  });

  it("is read with a palette, some of it clear, in two bits a pixel", async () => {
    const palette = chunk("PLTE", Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    const clear = chunk("tRNS", Uint8Array.from([0, 128]));
    const read = await decodePng(png(2, 3, 4, [[0, 0b00011011]], [palette, clear]));
    expect([...(read?.data ?? [])]).toEqual([1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255, 10, 11, 12, 255]);
  });

  it("is read in sixteen bits by their upper half, and in one bit", async () => {
    const deep = await decodePng(png(16, 0, 2, [[0, 0x12, 0xff, 0xfe, 0x01]]));
    expect([deep?.data[0], deep?.data[4]]).toEqual([0x12, 0xfe]);
    const flat = await decodePng(png(1, 0, 3, [[0, 0b10100000]]));
    expect([flat?.data[0], flat?.data[4], flat?.data[8]]).toEqual([255, 0, 255]);
  });

  it("is not read when it is cut off or has no such filter", async () => {
    expect(await decodePng(png(8, 0, 3, [[9, 1, 2, 3]]))).toBeNull();
    expect(await decodePng(png(8, 0, 3, [[0, 1, 2, 3]]).slice(0, 50))).toBeNull();
  });
});

describe("texts in a PNG", () => {
  const empty = async () => bytesOf(await encodePng(1, 1, 1, new Uint8Array(1)));

  it("come back in Latin letters and in others", async () => {
    for (const text of ["a pier\nSteps: 20, Size: 512x512", "桟橋, naïve 🚢\nSteps: 20"]) {
      const bytes = withText(await empty(), "parameters", text);
      expect(await infotextIn(bytes)).toBe(text);
      expect(chunksOf(bytes).every(({ intact }) => intact)).toBe(true);
    }
  });

  it("come back packed, and in UTF-8 where that is not allowed", async () => {
    const packedText = joined([fromLatin1("parameters\0\0"), new Uint8Array(deflateSync("packed, Steps: 3"))]);
    expect(await infotextIn(png(8, 0, 1, [[0, 0]], [chunk("zTXt", packedText)]))).toBe("packed, Steps: 3");
    const utf8 = joined([fromLatin1("parameters\0"), new TextEncoder().encode("桟橋")]);
    expect(await infotextIn(png(8, 0, 1, [[0, 0]], [chunk("tEXt", utf8)]))).toBe("桟橋");
  });

  it("are none in a bare PNG", async () => {
    const bytes = withText(await empty(), "parameters", "a pier");
    expect(await infotextIn(barePng(bytes))).toBeNull();
    expect(await decodePng(barePng(bytes))).toEqual(await decodePng(bytes));
  });
});
