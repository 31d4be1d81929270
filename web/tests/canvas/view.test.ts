import { expect, it } from "vitest";

import { fitted, panned, pictureAt, showing, zoomed } from "../../src/canvas/view";

const WINDOW = { width: 500, height: 400 };
const LARGE = { width: 4000, height: 3000 };

it("shows the whole picture in the middle", () => {
  expect(fitted(LARGE, WINDOW)).toEqual({ scale: 0.125, x: 0, y: 12.5 });
});

it("shows a small picture larger, in whole steps", () => {
  expect(fitted({ width: 100, height: 100 }, WINDOW)).toEqual({ scale: 4, x: 50, y: 0 });
});

it("keeps the pixel under the pointer while it zooms", () => {
  const at = { x: 200, y: 150 };
  const before = pictureAt(fitted(LARGE, WINDOW), at);
  const after = pictureAt(zoomed(fitted(LARGE, WINDOW), 4, at, LARGE, WINDOW), at);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

it("does not lose a picture that is moved far", () => {
  const view = panned({ scale: 1, x: 0, y: 0 }, { x: -90000, y: 90000 }, LARGE, WINDOW);
  expect(view.x + LARGE.width).toBeGreaterThan(0);
  expect(view.y).toBeLessThan(WINDOW.height);
});

it("moves just so far that a pixel is seen", () => {
  const view = { scale: 1, x: 0, y: 0 };
  expect(showing(view, { x: 100, y: 100 }, LARGE, WINDOW)).toEqual(view);
  expect(showing(view, { x: 600, y: 100 }, LARGE, WINDOW)).toEqual({ scale: 1, x: -132, y: 0 });
});
