import { describe, expect, it } from "vitest";

import { eachRow, snapped, squaredDistance, type Point } from "../../src/canvas/capsule";

/** The rule said a second time, without any cleverness: every pixel whose centre is near enough. */
function byTheRule(from: Point, to: Point, radius: number, width: number, height: number): string[] {
  const rows = [];
  for (let y = 0; y < height; y++) {
    let row = "";
    for (let x = 0; x < width; x++) row += squaredDistance(from, to, x + 0.5, y + 0.5) <= radius * radius ? "#" : ".";
    rows.push(row);
  }
  return rows;
}

function drawn(from: Point, to: Point, radius: number, width: number, height: number): string[] {
  const rows = Array.from({ length: height }, () => ".".repeat(width));
  eachRow(from, to, radius, width, height, (y, begin, end) => {
    rows[y] = ".".repeat(begin) + "#".repeat(end - begin) + ".".repeat(width - end);
  });
  return rows;
}

describe("the shape of a stroke", () => {
  it("is one pixel for a brush of one", () => {
    const at = snapped({ x: 2.9, y: 1.1 }, 1);
    expect(drawn(at, at, 0.5, 5, 3)).toEqual([".....", "..#..", "....."]);
  });

  it("is round for brushes of two and three", () => {
    const two = snapped({ x: 2.2, y: 1.9 }, 2);
    expect(drawn(two, two, 1, 4, 4)).toEqual(["....", ".##.", ".##.", "...."]);
    const three = snapped({ x: 2.2, y: 2.9 }, 3);
    expect(drawn(three, three, 1.5, 5, 5)).toEqual([".....", ".###.", ".###.", ".###.", "....."]);
  });

  it("covers just what the rule says, wherever its ends are", () => {
    let seed = 7;
    const random = (most: number) => ((seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31) * most;
    for (let times = 0; times < 400; times++) {
      const from = { x: random(60) - 10, y: random(50) - 10 };
      const to = times % 5 ? { x: random(60) - 10, y: random(50) - 10 } : { x: from.x, y: random(50) - 10 };
      const radius = Math.max(0.5, Math.round(random(20)) / 2);
      expect(drawn(from, to, radius, 40, 30)).toEqual(byTheRule(from, to, radius, 40, 30));
    }
  });

  it("has no holes along a line of one pixel", () => {
    const rows = drawn({ x: 0.5, y: 0.5 }, { x: 29.5, y: 11.5 }, 0.5, 30, 12);
    expect(rows.every((row) => row.includes("#"))).toBe(true);
    const columns = Array.from({ length: 30 }, (_, x) => rows.some((row) => row[x] === "#"));
    expect(columns.every(Boolean)).toBe(true);
  });

  it("tells the box that it fills", () => {
    expect(eachRow({ x: 5, y: 5 }, { x: 9, y: 5 }, 2, 100, 100, () => undefined)).toEqual({
      left: 3,
      top: 3,
      right: 11,
      bottom: 7,
    });
    expect(eachRow({ x: -50, y: 5 }, { x: -40, y: 5 }, 2, 100, 100, () => undefined)).toBeNull();
  });
});
