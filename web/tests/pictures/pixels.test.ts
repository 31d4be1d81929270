import { describe, expect, it } from "vitest";

import { thresholded, upright, type Pixels } from "../../src/pictures/pixels";

/** A picture of letters: each pixel's red is its letter. */
function letters(...rows: string[]): Pixels {
  const width = rows[0]?.length ?? 0;
  const data = new Uint8ClampedArray(width * rows.length * 4);
  [...rows.join("")].forEach((letter, at) => data.set([letter.charCodeAt(0), 1, 2, 255], at * 4));
  return { width, height: rows.length, data };
}

function read({ width, height, data }: Pixels): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => String.fromCharCode(data[(y * width + x) * 4] as number)).join(""),
  );
}

describe("a picture that is stored turned", () => {
  it.each([
    [1, ["abc", "def"]],
    [2, ["cba", "fed"]],
    [3, ["fed", "cba"]],
    [4, ["def", "abc"]],
    [5, ["ad", "be", "cf"]],
    [6, ["da", "eb", "fc"]],
    [7, ["fc", "eb", "da"]],
    [8, ["cf", "be", "ad"]],
  ])("stands upright with orientation %i", (orientation, expected) => {
    expect(read(upright(letters("abc", "def"), orientation))).toEqual(expected);
  });
});

describe("an uploaded mask", () => {
  const of = (...pixels: number[][]): Pixels => ({
    width: pixels.length,
    height: 1,
    data: new Uint8ClampedArray(pixels.flat()),
  });

  it("counts by brightness from 128 on", () => {
    const { mask, wasGrey } = thresholded(of([0, 0, 0, 255], [127, 127, 127, 255], [128, 128, 128, 255], [255, 255, 255, 255]));
    expect([...mask]).toEqual([0, 0, 255, 255]);
    expect(wasGrey).toBe(true);
  });

  it("counts by alpha from 129 on where anything is transparent", () => {
    const { mask } = thresholded(of([255, 255, 255, 0], [0, 0, 0, 128], [0, 0, 0, 129], [0, 0, 0, 255]));
    expect([...mask]).toEqual([0, 0, 255, 255]);
  });

  it("is told to be black and white when it is", () => {
    expect(thresholded(of([0, 0, 0, 255], [255, 255, 255, 255])).wasGrey).toBe(false);
  });
});
