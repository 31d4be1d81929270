/** What a prompt's box offers while somebody writes: extra networks, and the words that their files were trained on. */
import type { Checkpoint } from "../api";
import type { Edited } from "./prompt";
import { stem } from "./shelf";

export interface Candidate {
  kind: "lora" | "hypernetwork" | "embedding" | "word";
  label: string;
  /** what is written in the place of what was begun */
  insert: string;
  /** trigger words of a LoRA, or the file that a word belongs to */
  detail: string;
}

export interface Begun {
  query: string;
  start: number;
  /** whether a tag was begun with `<` */
  tag: boolean;
}

const MOST = 12;
const LEAST_LETTERS = 2;
const MOST_WORDS = 5;
/** What ends the words before a caret. */
const BREAKS = /[,\n()[\]{}<>:|]/;
const TAG = /^(?:lora|lyco|hypernet)?:?/i;

/** What was begun before the caret, most first: the words since the last comma, then fewer of them. */
export function begunAt(text: string, caret: number): Begun[] {
  const before = text.slice(0, caret);
  const open = before.lastIndexOf("<");
  if (open >= 0 && !before.slice(open).includes(">") && !before.slice(open).includes("\n")) {
    return [{ query: before.slice(open + 1).replace(TAG, ""), start: open, tag: true }];
  }
  let start = caret;
  while (start > 0 && !BREAKS.test(before[start - 1] ?? "")) start--;
  const words = before.slice(start).split(/(?<=\s)/);
  return words
    .map((_, index) => words.slice(index).join(""))
    .filter((query) => /^\S/.test(query) && query.trim().length >= LEAST_LETTERS)
    .slice(-MOST_WORDS)
    .map((query) => ({ query, start: caret - query.length, tag: false }));
}

export interface Offer {
  start: number;
  candidates: Candidate[];
}

/** What fits to what was begun before the caret; null where nothing does. */
export function offered(text: string, caret: number, files: readonly Checkpoint[]): Offer | null {
  for (const begun of begunAt(text, caret)) {
    const found = ranked(begun, files);
    // What is written to its end needs no offer.
    if (found.some(({ label }) => label === begun.query)) return null;
    if (found.length > 0) return { start: begun.start, candidates: found.slice(0, MOST) };
  }
  return null;
}

function ranked({ query, tag }: Begun, files: readonly Checkpoint[]): Candidate[] {
  const wanted = query.trim().toLowerCase();
  const all = tag ? files.flatMap(tagOf) : files.flatMap((file) => [...embeddingOf(file), ...wordsOf(file)]);
  const fits = all.filter(({ label }) => label.toLowerCase().includes(wanted));
  const rank = ({ label }: Candidate): number => (label.toLowerCase().startsWith(wanted) ? 0 : 1);
  const unique = [...new Map(fits.map((each) => [each.insert, each])).values()];
  return unique.sort((a, b) => rank(a) - rank(b) || a.label.localeCompare(b.label));
}

function tagOf(file: Checkpoint): Candidate[] {
  const insert = insertionOf(file);
  if (insert === null || (file.kind !== "lora" && file.kind !== "hypernetwork")) return [];
  return [{ kind: file.kind, label: stem(file.name), insert, detail: file.trigger_words.join(", ") }];
}

function embeddingOf(file: Checkpoint): Candidate[] {
  if (file.kind !== "embedding") return [];
  return [{ kind: "embedding", label: stem(file.name), insert: stem(file.name), detail: "" }];
}

function wordsOf(file: Checkpoint): Candidate[] {
  if (file.kind !== "lora") return [];
  return file.trigger_words.map((word) => ({ kind: "word", label: word, insert: word, detail: stem(file.name) }));
}

/** What a click on a file's card writes into the prompt; null for a file that no prompt names. */
export function insertionOf(file: Checkpoint): string | null {
  const name = stem(file.name);
  if (file.kind === "lora") return `<lora:${name}:1>`;
  if (file.kind === "hypernetwork") return `<hypernet:${name}:1>`;
  return file.kind === "embedding" ? name : null;
}

/** The text with a candidate in the place of what was begun, and the caret behind it. */
export function completed(text: string, caret: number, start: number, candidate: Candidate): Edited {
  const rest = text.slice(caret);
  const closed = candidate.insert.endsWith(">") && rest.startsWith(">");
  const at = start + candidate.insert.length;
  return { text: text.slice(0, start) + candidate.insert + (closed ? rest.slice(1) : rest), start: at, end: at };
}
