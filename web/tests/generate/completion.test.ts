import { expect, test } from "vitest";
import { begunAt, completed, offered } from "../../src/generate/completion";
import { file } from "./files";

const SHELF = [
  file("lora", "film_grain.safetensors", { trigger_words: ["film grain", "dusk light"] }),
  file("lora", "ink.safetensors"),
  file("hypernetwork", "moody.pt"),
  file("embedding", "easynegative.safetensors"),
  file("stable-diffusion", "grain-model.safetensors"),
];

/** What is offered at the end of a text. */
function labels(text: string): string[] {
  return (offered(text, text.length, SHELF)?.candidates ?? []).map(({ label }) => label);
}

/** The text after the first offer is taken at its end. */
function taken(text: string): string | null {
  const offer = offered(text, text.length, SHELF);
  const first = offer?.candidates[0];
  return offer && first ? completed(text, text.length, offer.start, first).text : null;
}

test.each([
  ["a pier, <gra", ["film_grain"]],
  ["<", ["film_grain", "ink", "moody"]],
  ["<lora:in", ["film_grain", "ink"]],
  ["<hypernet:mo", ["moody"]],
  ["easy", ["easynegative"]],
  ["a pier, dusk", ["dusk light"]],
  ["a picture of film g", ["film grain"]],
  ["(dus", ["dusk light"]],
  ["a <lora:ink:1> du", ["dusk light"]],
  ["film grain", []],
  ["a", []],
  ["grain-model", []],
])("after %s stands what fits", (text, wanted) => {
  expect(labels(text).sort()).toEqual([...wanted].sort());
});

test("what is taken stands in the place of what was begun", () => {
  expect(taken("a pier, <gra")).toBe("a pier, <lora:film_grain:1>");
  expect(taken("a picture of film g")).toBe("a picture of film grain");
  expect(taken("easy")).toBe("easynegative");
});

test("a bracket that is closed already is not closed twice", () => {
  const text = "a <gra> b";
  const offer = offered(text, 6, SHELF);
  expect(completed(text, 6, offer!.start, offer!.candidates[0]!)).toEqual({
    text: "a <lora:film_grain:1> b",
    start: 21,
    end: 21,
  });
});

test("the beginning of a name counts more than its middle", () => {
  const both = [file("lora", "my grain.safetensors"), file("lora", "grain.safetensors")];
  expect(offered("<gr", 3, both)?.candidates.map(({ label }) => label)).toEqual(["grain", "my grain"]);
});

test("a line break and a closed tag begin anew", () => {
  expect(begunAt("a <b\ncd", 7)).toEqual([{ query: "cd", start: 5, tag: false }]);
  expect(begunAt("<lora:x:1>", 10)).toEqual([]);
});
