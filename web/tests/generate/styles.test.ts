import { expect, test } from "vitest";
import { merged, readStyles, withStyles } from "../../src/generate/styles";

const FILM = { name: "film", prompt: "photo of {prompt}, grain", negative_prompt: "drawing" };
const SEA = { name: "sea", prompt: "by the sea", negative_prompt: "" };

test.each([
  ["by the sea", "a pier", "a pier, by the sea"],
  ["by the sea", "", "by the sea"],
  ["", " a pier ", "a pier"],
  ["{prompt}, {prompt}", "a", "a, a"],
  ["$& {prompt}", "$1", "$& $1"],
])("the style %s on %s", (text, prompt, whole) => {
  expect(merged(text, prompt)).toBe(whole);
});

test("styles are added one after the other, and unknown names are passed over", () => {
  const prompts = { prompt: "a pier", negative_prompt: "" };
  expect(withStyles(prompts, ["sea", "gone", "film"], [FILM, SEA])).toEqual({
    prompt: "photo of a pier, by the sea, grain",
    negative_prompt: "drawing",
  });
});

test("stored styles are read as far as they are styles", () => {
  expect(readStyles(JSON.stringify([SEA, FILM, { prompt: "no name" }, 5, { name: "bare" }]))).toEqual([
    { name: "bare", prompt: "", negative_prompt: "" },
    FILM,
    SEA,
  ]);
  expect(readStyles("{broken")).toEqual([]);
  expect(readStyles(null)).toEqual([]);
});
