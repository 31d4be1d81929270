import { expect, test } from "vitest";
import { tagsOf, toggled, weighed } from "../../src/generate/prompt";

/** Presses Ctrl+Up or Ctrl+Down in a text whose selection is marked by bars (`|` alone: the caret). */
function pressed(marked: string, up: boolean): string | null {
  const start = marked.indexOf("|");
  const end = marked.lastIndexOf("|");
  const text = marked.replaceAll("|", "");
  const found = weighed({ text, start, end: end === start ? start : end - 1 }, up);
  if (found === null) return null;
  const { text: next, start: from, end: to } = found;
  return `${next.slice(0, from)}|${next.slice(from, to)}|${next.slice(to)}`;
}

test.each([
  ["a word under the caret", "a pi|er at dawn", "a (|pier|:1.1) at dawn"],
  ["a caret at a word's end", "a pier|, fog", "a (|pier|:1.1), fog"],
  ["a selection", "a |pier at| dawn", "a (|pier at|:1.1) dawn"],
  ["blanks at a selection's end stay outside", "a |pier at |dawn", "a (|pier at|:1.1) dawn"],
  ["brackets with a weight", "a (pier at| dawn:1.1)", "a (|pier at dawn|:1.2)"],
  ["a weight below one", "(f|og:0.8)", "(|fog|:0.9)"],
  ["back to one: no brackets", "a (f|og:0.9) b", "a |fog| b"],
  ["a whole number keeps its point", "(f|og:1.9)", "(|fog|:2.0)"],
  ["old brackets become a number", "((pi|er))", "(|pier|:1.3)"],
  ["square brackets become a number", "[[pi|er]]", "(|pier|:0.9)"],
  ["a LoRA goes by smaller steps", "x <lora:gr|ain:1>", "x <|lora:grain|:1.05>"],
  ["a prompt that changes midway", "[ca|t:dog:0.5]", "[(|cat:dog|:1.1):0.5]"],
  ["words of other scripts", "海辺の|猫", "(|海辺の猫|:1.1)"],
])("Ctrl+Up: %s", (_, before, after) => {
  expect(pressed(before, true)).toBe(after);
});

test.each([
  ["a word", "a pi|er", "a (|pier|:0.9)"],
  ["a weight", "(pi|er:1.3)", "(|pier|:1.2)"],
  ["from above one to one", "(pi|er:1.1)", "|pier|"],
  ["below zero", "(pi|er:0.0)", "(|pier|:-0.1)"],
  ["a LoRA", "<lora:gr|ain:0.8>", "<|lora:grain|:0.75>"],
])("Ctrl+Down: %s", (_, before, after) => {
  expect(pressed(before, false)).toBe(after);
});

test.each(["a |  b", "|", "<lora:3d|>", "a ,| b"])("nothing to weigh in %s", (text) => {
  expect(pressed(text, true)).toBeNull();
});

test("up and down again is the same text", () => {
  const text = "a pier, (fog:1.2), <lora:grain:0.8>";
  for (let at = 0; at <= text.length; at++) {
    const up = weighed({ text, start: at, end: at }, true);
    if (up) expect(weighed(up, false)?.text ?? null).toBe(text);
  }
});

test("a click on a card adds the tag, another one takes it away", () => {
  const added = toggled("a pier", "<lora:grain:1>");
  expect(added).toBe("a pier <lora:grain:1>");
  expect(toggled(added, "<lora:grain:1>")).toBe("a pier");
  expect(toggled("", "<lora:grain:1>")).toBe("<lora:grain:1>");
  for (const [before, after] of [
    ["a, <lora:grain:1>, b", "a, b"],
    ["<lora:grain:1>, b", "b"],
    ["a <lora:grain:1> b", "a b"],
    ["a, <lora:grain:1>", "a"],
    ["a, <lora:grain:1> b", "a, b"],
  ] as const) {
    expect(toggled(before, "<lora:grain:1>")).toBe(after);
  }
});

test("the tags of a prompt", () => {
  expect(tagsOf("a <lora:grain:1> (b) <hypernet:x:0.5>, 1 < 2 > 0")).toEqual(["<lora:grain:1>", "<hypernet:x:0.5>"]);
});
