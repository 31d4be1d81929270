import { expect, it } from "vitest";
import { inRange } from "../../src/ui/Slider";
import { neighbour } from "../../src/ui/Tabs";

it("keeps a number in its range", () => {
  expect([-1, 5, 11].map((value) => inRange(value, 0, 10))).toEqual([0, 5, 10]);
});

it("goes round among tabs, and to both ends", () => {
  expect(neighbour("ArrowRight", 2, 3)).toBe(0);
  expect(neighbour("ArrowLeft", 0, 3)).toBe(2);
  expect(neighbour("End", 0, 3)).toBe(2);
  expect(neighbour("a", 0, 3)).toBeNull();
  expect(neighbour("Home", 0, 0)).toBeNull();
});
