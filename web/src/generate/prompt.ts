/** Editing a prompt: weights by Ctrl+Up and Ctrl+Down as in the WebUI, and tags of extra networks. */

/** A text with a selection. */
export interface Edited {
  text: string;
  start: number;
  end: number;
}

const ATTENTION_STEP = 0.1;
const NETWORK_STEP = 0.05;
/** Where a word ends (the WebUI's setting `keyedit_delimiters`, and white space). */
const DELIMITERS = new Set(".,\\/!?%^*;:{}=`~() \t\r\n");
const PAIRS = { "<": ">", "(": ")", "[": "]" } as const;
type Opening = keyof typeof PAIRS;
const WEIGHTED = /^([^]*):(-?[\d.]+)$/;

/**
 * The text after Ctrl+Up (`up`) or Ctrl+Down; null where there is nothing to weigh. A selection is put into brackets; a
 * caret takes the brackets or the tag around it, else the word under it. Steps are 0.1, and 0.05 in tags. A weight of
 * exactly 1 loses its brackets. Old brackets, `((word))` and `[word]`, become a number.
 */
export function weighed({ text, start, end }: Edited, up: boolean): Edited | null {
  const found = start === end ? (around(text, start) ?? word(text, start)) : trimmed(text, start, end);
  if (found === null) return null;
  const opening = text[found.start - 1];
  if (opening === "<") return tagWeighed(text, found, up);
  if (opening === "(" && text[found.end] === ":") return bracketsWeighed(text, found, up);
  return newWeight(text, found, up);
}

interface Span {
  start: number;
  end: number;
}

/** What stands in the innermost brackets around a caret, without the weight at its end; null outside of brackets. */
function around(text: string, at: number): Span | null {
  for (const opening of Object.keys(PAIRS) as Opening[]) {
    const closing = PAIRS[opening];
    const begin = text.lastIndexOf(opening, at - 1);
    const stop = text.indexOf(closing, at);
    if (at === 0 || begin < 0 || stop < 0) continue;
    const closedBefore = text.slice(begin, at).includes(closing);
    const openedBefore = text.slice(at, stop).includes(opening);
    if (closedBefore || openedBefore) continue;
    const weight = WEIGHTED.exec(text.slice(begin + 1, stop));
    return { start: begin + 1, end: weight ? begin + 1 + (weight[1] ?? "").length : stop };
  }
  return null;
}

/** The word under a caret, or null between words. */
function word(text: string, at: number): Span | null {
  let [start, end] = [at, at];
  while (start > 0 && !DELIMITERS.has(text[start - 1] ?? "")) start--;
  while (end < text.length && !DELIMITERS.has(text[end] ?? "")) end++;
  return start === end ? null : { start, end };
}

function trimmed(text: string, start: number, end: number): Span | null {
  const chosen = text.slice(start, end);
  const kept = chosen.trimEnd();
  return kept === "" ? null : { start, end: start + kept.length };
}

/** A number as the WebUI writes it: whole ones with `.0`. */
function written(weight: number): string {
  const exact = Number(weight.toPrecision(12));
  return Number.isInteger(exact) ? `${exact}.0` : String(exact);
}

function tagWeighed(text: string, { start, end }: Span, up: boolean): Edited | null {
  const close = text.indexOf(">", end);
  const weight = text[end] === ":" && close > 0 ? Number.parseFloat(text.slice(end + 1, close)) : Number.NaN;
  if (Number.isNaN(weight)) return null;
  const next = written(weight + (up ? NETWORK_STEP : -NETWORK_STEP));
  return { text: `${text.slice(0, end + 1)}${next}${text.slice(close)}`, start, end };
}

function bracketsWeighed(text: string, { start, end }: Span, up: boolean): Edited | null {
  const close = text.indexOf(")", end);
  const weight = Number.parseFloat(text.slice(end + 1, close));
  if (close < 0 || Number.isNaN(weight)) return null;
  return withWeight(text, { start: start - 1, end: close + 1 }, text.slice(start, end), stepped(weight, up));
}

/** Brackets without a number count 1.1 each, square ones its inverse; without any the weight begins at 1. */
function newWeight(text: string, { start, end }: Span, up: boolean): Edited {
  const opening = text[start - 1];
  const closing = opening === "(" || opening === "[" ? PAIRS[opening] : null;
  let deep = 0;
  while (closing && text[start - deep - 1] === opening && text[end + deep] === closing) deep++;
  const weight = deep === 0 ? 1 : (opening === "[" ? 1 / 1.1 : 1.1) ** deep;
  const rounded = Math.round(weight / ATTENTION_STEP) * ATTENTION_STEP;
  return withWeight(text, { start: start - deep, end: end + deep }, text.slice(start, end), stepped(rounded, up));
}

function stepped(weight: number, up: boolean): number {
  return Number((weight + (up ? ATTENTION_STEP : -ATTENTION_STEP)).toPrecision(12));
}

function withWeight(text: string, replaced: Span, inside: string, weight: number): Edited {
  const [before, after] = [text.slice(0, replaced.start), text.slice(replaced.end)];
  if (weight === 1) {
    return { text: before + inside + after, start: replaced.start, end: replaced.start + inside.length };
  }
  const start = replaced.start + 1;
  return { text: `${before}(${inside}:${written(weight)})${after}`, start, end: start + inside.length };
}

/** The tags of a prompt, as they are written. */
export function tagsOf(text: string): string[] {
  return text.match(/<\w+:[^<>]+>/g) ?? [];
}

/**
 * The prompt with a text added at its end, or without it and its comma if it is there: what a click on a card does in
 * the WebUI.
 */
export function toggled(prompt: string, added: string): string {
  const at = prompt.indexOf(added);
  if (at < 0) return prompt === "" ? added : `${prompt.trimEnd()} ${added}`;
  const after = prompt.slice(at + added.length).trimStart();
  const isBeforeComma = after === "" || after.startsWith(",");
  const before = prompt
    .slice(0, at)
    .trimEnd()
    .replace(isBeforeComma ? /,$/ : /$^/, "");
  if (before === "") return after.replace(/^,\s*/, "");
  return isBeforeComma ? before + after : `${before} ${after}`;
}
