/**
 * Texts for people, in three languages. Every room keeps its own in a `texts.ts`; nothing for people stands in code.
 */
import { signal } from "@preact/signals";

export const LANGUAGES = { en: "English", "zh-CN": "简体中文", ja: "日本語" } as const;
export type Language = keyof typeof LANGUAGES;

/** The language in use. Whoever reads a text while it renders is rendered anew when this changes. */
export const language = signal<Language>("en");

type Value = string | number;

/** The names in braces of a text: `{n}` and, for a word that depends on a count, `{n|job|jobs}`. */
type Names<T extends string> = T extends `${string}{${infer Inside}}${infer Rest}`
  ? (Inside extends `${infer Name}|${string}` ? Name : Inside) | Names<Rest>
  : never;
type Values<T extends string> = { [Name in Names<T>]: Value };
type Arguments<T extends string> = [Names<T>] extends [never] ? [] : [values: Values<T>];

/** Reads a room's texts: `t("saved")`, or `t("count", { n: 3 })` where the text has names in braces. */
export type Texts<E extends Record<string, string>> = <K extends keyof E & string>(
  key: K,
  ...values: Arguments<E[K]>
) => string;

/**
 * Makes the reader of a room's texts. English decides the keys: a language that misses one, or has another one, does
 * not compile. `{n}` is replaced by the value (numbers as the language writes them), `{n|job|jobs}` by the word for one or
 * the word for several; a language without that difference writes neither.
 */
export function texts<const E extends Record<string, string>>(table: {
  en: E;
  "zh-CN": { readonly [K in keyof NoInfer<E>]: string };
  ja: { readonly [K in keyof NoInfer<E>]: string };
}): Texts<E> {
  return (key, ...values) => {
    const chosen = language.value;
    const text: string = table[chosen][key];
    return fill(text, (values[0] ?? {}) as Record<string, Value>, chosen);
  };
}

const NAMED = /\{([A-Za-z_]+)(?:\|([^|{}]*)\|([^|{}]*))?\}/g;

/** Puts values into a text. A name without a value stays as it is, so that the mistake is seen. */
export function fill(text: string, values: Record<string, Value>, of: Language): string {
  return text.replace(NAMED, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one !== undefined && many !== undefined) {
      return new Intl.PluralRules(of).select(Number(value)) === "one" ? one : many;
    }
    return typeof value === "number" ? new Intl.NumberFormat(of).format(value) : value;
  });
}

/** The names that a text has in braces, sorted, each once. */
export function names(text: string): string[] {
  return [...new Set([...text.matchAll(NAMED)].map((found) => found[1] ?? ""))].sort();
}

/** The language of ours that a person's browser asks for first: `navigator.languages` in its order. */
export function preferred(asked: readonly string[]): Language {
  for (const tag of asked) {
    const wanted = tag.toLowerCase().split("-")[0];
    const found = (Object.keys(LANGUAGES) as Language[]).find((ours) => ours.toLowerCase().split("-")[0] === wanted);
    if (found) return found;
  }
  return "en";
}

export * from "./formats";
