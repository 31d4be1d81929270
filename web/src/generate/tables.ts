/** The WebUI's lists of names: the same table that the API and the bridge go by (`python -m darkroom.webui`). */
import {
  labels,
  latent_upscalers,
  preprocessors,
  samplers,
  schedulers,
  upscaler_files,
} from "../../../bridge/src/darkroom_bridge/webui.json";

interface Named {
  name: string;
  aliases: string[];
}

export const SAMPLERS: readonly string[] = samplers.map((each) => each.name);
export const SCHEDULERS: readonly string[] = schedulers.map((each) => each.name);
export const LATENT_UPSCALERS: readonly string[] = latent_upscalers;
/** Upscalers of pictures that need no file. `None` leaves the picture as it is. */
export const PLAIN_UPSCALERS: readonly string[] = ["None", "Lanczos", "Nearest"];
/** The file of each upscaler that the WebUI shows under a name of its own. */
export const UPSCALER_FILES: Readonly<Record<string, string>> = upscaler_files;
export const PREPROCESSORS: readonly string[] = preprocessors;

export type LabelType = "text" | "whole" | "real" | "truth";
type Labels = Readonly<Record<string, readonly [name: string, type: LabelType]>>;
/** Labels under pictures: the field of a body that each means, and the type of its value. */
export const FIELD_LABELS = labels.fields as unknown as Labels;
/** The same for settings. */
export const SETTING_LABELS = labels.settings as unknown as Labels;

/** What the second pass calls no choice of its own. */
export const SAME_CHECKPOINT = "Use same checkpoint";
export const SAME_SAMPLER = "Use same sampler";
export const SAME_SCHEDULER = "Use same scheduler";

function words(table: readonly Named[]): Map<string, string> {
  return new Map(table.flatMap((each) => [each.name, ...each.aliases].map((word) => [word.toLowerCase(), each.name])));
}

const SAMPLER_WORDS = words(samplers);
const SCHEDULER_WORDS = words(schedulers);
/** WebUIs before 1.9 listed each pair of sampler and schedule as a sampler, whose short name ended so. */
const OLD_ENDINGS: readonly (readonly [string, string])[] = [
  ...[...SCHEDULER_WORDS].map(([word, name]) => [` ${word}`, name] as const),
  ["_ka", "Karras"],
  ["_exp", "Exponential"],
];

/** The schedule that a text means, in any case, or null. */
export function schedulerNamed(text: string): string | null {
  return SCHEDULER_WORDS.get(text.trim().toLowerCase()) ?? null;
}

/** The sampler that a text means, in any case, and the schedule at the end of an old name; null for no sampler. */
export function samplerNamed(text: string): { sampler: string; scheduler: string | null } | null {
  const word = text.trim().toLowerCase();
  const found = SAMPLER_WORDS.get(word);
  if (found) return { sampler: found, scheduler: null };
  for (const [ending, scheduler] of OLD_ENDINGS) {
    const sampler = word.endsWith(ending) ? SAMPLER_WORDS.get(word.slice(0, -ending.length)) : undefined;
    if (sampler) return { sampler, scheduler };
  }
  return null;
}
