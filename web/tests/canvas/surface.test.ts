import { describe, expect, it } from "vitest";

import { squaredDistance } from "../../src/canvas/capsule";
import { redo, undo } from "../../src/canvas/history";

import {
  beginStroke,
  clearAll,
  colourAt,
  createSurface,
  flattened,
  invertMask,
  isPainted,
  maskIsEmpty,
  maskOf,
  setMask,
  type Brush,
  type Surface,
} from "../../src/canvas/surface";
import type { Pixels } from "../../src/pictures/pixels";

const BRUSH: Brush = { size: 20, colour: [200, 40, 10], opacity: 1, isSoft: false, erases: false };

/** A picture in which every pixel is another one, some of them half clear. */
function picture(width = 600, height = 300): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < width * height; at++) {
    data.set([at % 251, (at * 7) % 253, (at * 13) % 255, at % 3 ? 255 : 100], at * 4);
  }
  return { width, height, data };
}

function paint(surface: Surface, mode: "sketch" | "mask" | "sketch-mask", points: [number, number][], brush = BRUSH) {
  const stroke = beginStroke(surface, mode, brush);
  for (const [x, y] of points) stroke.to({ x, y });
  stroke.end();
}

describe("a mask", () => {
  it("has 255 under the brush and 0 everywhere else, over the borders of tiles", () => {
    const surface = createSurface(picture());
    paint(surface, "mask", [[250, 250], [262, 258]]);
    const mask = maskOf(surface);
    for (let y = 0; y < 300; y++) {
      for (let x = 0; x < 600; x++) {
        const isUnder = squaredDistance({ x: 250, y: 250 }, { x: 262, y: 258 }, x + 0.5, y + 0.5) <= 100;
        if (mask[y * 600 + x] !== (isUnder ? 255 : 0)) expect.fail(`${x}, ${y} is ${mask[y * 600 + x]}`);
      }
    }
    expect(flattened(surface)).toBe(surface.base);
  });

  it("has nothing between 0 and 255, however soft and faint the brush is", () => {
    const surface = createSurface(picture());
    paint(surface, "sketch-mask", [[40, 40], [90, 60]], { ...BRUSH, isSoft: true, opacity: 0.3 });
    expect(new Set(maskOf(surface))).toEqual(new Set([0, 255]));
  });

  it("is turned round, and back by a step", () => {
    const surface = createSurface(picture());
    paint(surface, "mask", [[30, 30]]);
    const before = maskOf(surface);
    invertMask(surface);
    expect(maskOf(surface)).toEqual(before.map((value) => 255 - value));
    undo(surface.history);
    expect(maskOf(surface)).toEqual(before);
  });

  it("is empty at first, after the eraser, and after the last step back", () => {
    const surface = createSurface(picture());
    expect(maskIsEmpty(surface)).toBe(true);
    paint(surface, "mask", [[599, 299]]);
    expect(maskIsEmpty(surface)).toBe(false);
    paint(surface, "mask", [[599, 299]], { ...BRUSH, erases: true, size: 22 });
    expect(maskIsEmpty(surface)).toBe(true);
    undo(surface.history);
    expect(maskIsEmpty(surface)).toBe(false);
    undo(surface.history);
    expect(maskIsEmpty(surface)).toBe(true);
  });

  it("is taken whole from a file", () => {
    const surface = createSurface(picture());
    const whole = Uint8Array.from({ length: 600 * 300 }, (_, at) => (at % 11 ? 0 : 255));
    setMask(surface, whole);
    expect(maskOf(surface)).toEqual(whole);
  });
});

describe("a sketch", () => {
  it("changes the pixels under the brush and no others", () => {
    const surface = createSurface(picture());
    paint(surface, "sketch", [[256, 128]]);
    const { data } = flattened(surface);
    for (let at = 0; at < 600 * 300; at++) {
      const [x, y] = [at % 600, Math.floor(at / 600)];
      const isUnder = (x + 0.5 - 256) ** 2 + (y + 0.5 - 128) ** 2 <= 100;
      const expected = isUnder ? [200, 40, 10, 255] : [...surface.base.data.subarray(at * 4, at * 4 + 4)];
      if (expected.some((value, n) => data[at * 4 + n] !== value)) expect.fail(`${x}, ${y}`);
    }
    expect(maskIsEmpty(surface)).toBe(true);
  });

  it("is covered once by a stroke that crosses itself", () => {
    const surface = createSurface({ width: 50, height: 50, data: new Uint8ClampedArray(10000).fill(255) });
    paint(surface, "sketch", [[10, 25], [40, 25], [10, 25], [40, 25]], { ...BRUSH, colour: [0, 0, 0], opacity: 0.5 });
    expect(colourAt(surface, 25, 25)).toEqual([127, 127, 127]);
  });

  it("grows fainter towards a soft edge", () => {
    const surface = createSurface({ width: 80, height: 80, data: new Uint8ClampedArray(25600).fill(255) });
    paint(surface, "sketch", [[40, 40]], { ...BRUSH, size: 40, colour: [0, 0, 0], isSoft: true });
    const row = [40, 45, 48, 52, 55, 58].map((x) => (colourAt(surface, x, 40) as readonly number[])[0] as number);
    expect(row[0]).toBe(0);
    expect([...row].sort((one, other) => one - other)).toEqual(row);
    expect(row.at(-1)).toBeGreaterThan(200);
  });

  it("gives the picture's own pixels back to the eraser", () => {
    const surface = createSurface(picture());
    paint(surface, "sketch", [[100, 100]]);
    paint(surface, "sketch", [[100, 100]], { ...BRUSH, size: 30, erases: true });
    expect(flattened(surface).data).toEqual(surface.base.data);
  });

  it("goes back and forth step by step", () => {
    const surface = createSurface(picture());
    const seen = [flattened(surface).data.slice()];
    for (const [x, y] of [[20, 20], [260, 30], [25, 25]] as [number, number][]) {
      paint(surface, "sketch-mask", [[x, y]], { ...BRUSH, colour: [x % 256, y, 9] });
      seen.push(flattened(surface).data.slice());
    }
    for (let step = 2; step >= 0; step--) {
      undo(surface.history);
      expect(flattened(surface).data).toEqual(seen[step]);
    }
    expect(isPainted(surface)).toBe(false);
    for (let step = 1; step <= 3; step++) {
      redo(surface.history);
      expect(flattened(surface).data).toEqual(seen[step]);
    }
    undo(surface.history);
    paint(surface, "sketch-mask", [[300, 200]]);
    expect(redo(surface.history)).toEqual([]);
  });

  it("is gone without a trace when a stroke is broken off", () => {
    const surface = createSurface(picture());
    const stroke = beginStroke(surface, "sketch-mask", BRUSH);
    stroke.to({ x: 100, y: 100 });
    stroke.cancel();
    expect(flattened(surface)).toBe(surface.base);
    expect(surface.history.done).toEqual([]);
  });

  it("comes back after all was cleared", () => {
    const surface = createSurface(picture());
    paint(surface, "sketch-mask", [[100, 100], [400, 200]]);
    const [before, mask] = [flattened(surface).data.slice(), maskOf(surface)];
    clearAll(surface);
    expect(isPainted(surface)).toBe(false);
    undo(surface.history);
    expect(flattened(surface).data).toEqual(before);
    expect(maskOf(surface)).toEqual(mask);
  });
});

describe("the steps back", () => {
  it("keep the tiles that were touched, and forget the oldest when there is no room", () => {
    const surface = createSurface(picture(2048, 2048), 3_000_000);
    for (let times = 0; times < 40; times++) paint(surface, "sketch", [[100, 100], [200, 200]]);
    const kept = surface.history.done.flatMap((step) => step.map(({ other }) => other?.length ?? 0));
    expect(kept.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(3_000_000);
    expect(surface.history.done.length).toBeGreaterThan(5);
    expect(surface.paint.tiles.size).toBe(1);
  });

  it("keep the last step even if it needs more than that", () => {
    const surface = createSurface(picture(2048, 2048), 1000);
    paint(surface, "mask", [[0, 0], [2047, 2047]]);
    invertMask(surface);
    expect(surface.history.done.length).toBe(1);
  });
});
