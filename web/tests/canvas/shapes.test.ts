import { expect, it } from "vitest";

import { colourOf, hexOf } from "../../src/canvas/shapes";

it("writes colours as HTML does", () => {
  expect(hexOf([255, 0, 9])).toBe("#ff0009");
  expect(colourOf("#ff0009")).toEqual([255, 0, 9]);
});
