import { expect, it } from "vitest";
import { dropLink, expiresAt, steady } from "../../src/api/links";

const signed = (name: string, date: string, seconds = 900) =>
  `https://bucket.example/${name}?X-Amz-Date=${date}&X-Amz-Expires=${seconds}&X-Amz-Signature=${Math.random()}`;
const at = (minute: number) => Date.UTC(2026, 10, 27, 12, minute);

it("knows when a link expires", () => {
  expect(expiresAt(signed("a.png", "20261127T120000Z"))).toBe(at(15));
  expect(expiresAt("https://bucket.example/a.png")).toBeNull();
});

it("keeps a picture's link while it is valid, so that the picture is loaded once", () => {
  const first = signed("b.png", "20261127T120000Z");
  const second = signed("b.png", "20261127T121000Z");
  expect(steady(first, at(0))).toBe(first);
  expect(steady(second, at(10))).toBe(first);
  expect(steady(second, at(14))).toBe(second);
});

it("takes the next link when one did not work", () => {
  const first = signed("c.png", "20261127T120000Z");
  const second = signed("c.png", "20261127T120100Z");
  steady(first, at(0));
  dropLink(first);
  expect(steady(second, at(1))).toBe(second);
});

it("never takes the link of another object", () => {
  const first = signed("d/0.png", "20261127T120000Z");
  const other = signed("d/1.png", "20261127T120000Z");
  expect([steady(first, at(0)), steady(other, at(0))]).toEqual([first, other]);
});
