/**
 * Styles: texts by name that are added to a prompt. They are kept in this browser. `{prompt}` in a style's text is the
 * place of the prompt; without it the text is added at the end.
 */
import { signal } from "@preact/signals";
import { fieldsOf, fromJson } from "../api";

export interface Style {
  name: string;
  prompt: string;
  negative_prompt: string;
}

const KEPT = "darkroom.styles";
const PLACE = "{prompt}";

/** The styles of this browser, in the order of their names. */
export const styles = signal<readonly Style[]>([]);

/** Reads the styles from this browser's storage. */
export function loadStyles(): void {
  styles.value = readStyles(localStorage.getItem(KEPT));
}

/** The styles that a stored text holds; none for a text that cannot be read. */
export function readStyles(stored: string | null): readonly Style[] {
  const found = fromJson(stored);
  return Array.isArray(found) ? sorted(found.flatMap(asStyle)) : [];
}

function asStyle(value: unknown): Style[] {
  const { name, prompt, negative_prompt } = fieldsOf(value);
  if (typeof name !== "string" || name === "") return [];
  const text = (said: unknown): string => (typeof said === "string" ? said : "");
  return [{ name, prompt: text(prompt), negative_prompt: text(negative_prompt) }];
}

function sorted(found: readonly Style[]): Style[] {
  return [...found].sort((a, b) => a.name.localeCompare(b.name));
}

function keep(next: readonly Style[]): void {
  styles.value = sorted(next);
  localStorage.setItem(KEPT, JSON.stringify(styles.value));
}

/** Keeps a style. One of the same name is replaced. */
export function saveStyle(style: Style): void {
  keep([...styles.value.filter((each) => each.name !== style.name), style]);
}

export function deleteStyle(name: string): void {
  keep(styles.value.filter((each) => each.name !== name));
}

export function styleNamed(name: string): Style | undefined {
  return styles.value.find((each) => each.name === name);
}

/** A prompt with a style's text, as the WebUI merges them. */
export function merged(text: string, prompt: string): string {
  if (text.includes(PLACE)) return text.replaceAll(PLACE, prompt);
  return [prompt.trim(), text.trim()].filter((part) => part !== "").join(", ");
}

export interface Prompts {
  prompt: string;
  negative_prompt: string;
}

/** Both prompts with the styles of these names, in this order; a name that no style has is passed over. */
export function withStyles<P extends Prompts>(prompts: P, names: readonly string[], known: readonly Style[]): P {
  const chosen = names.flatMap((name) => known.filter((style) => style.name === name));
  const expand = (prompt: string, of: "prompt" | "negative_prompt"): string =>
    chosen.reduce((text, style) => merged(style[of], text), prompt);
  return {
    ...prompts,
    prompt: expand(prompts.prompt, "prompt"),
    negative_prompt: expand(prompts.negative_prompt, "negative_prompt"),
  };
}
