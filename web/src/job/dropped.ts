/** Finds the job that a picture came from. */
import { api } from "../api";

/** What of a text under a picture leads to its job: the seed, and the beginning of the prompt in words. */
export interface Traces {
  seed: number;
  words: string;
}

const WORDS = 120;

/** The traces in an infotext that was read; null when it names no seed. */
export function tracesOf(prompt: string, pairs: ReadonlyMap<string, string>): Traces | null {
  const text = pairs.get("Seed") ?? "";
  if (!/^\d{1,15}$/.test(text)) return null;
  const words = prompt.split(/\s+/).filter(Boolean);
  let kept = "";
  for (const word of words) {
    if (kept.length + word.length > WORDS) break;
    kept = `${kept} ${word}`.trim();
  }
  return { seed: Number(text), words: kept };
}

/**
 * The id of the job that made exactly this file, or null when it is none of ours. The history is asked for the seed and
 * the words of the prompt; of those jobs the one with a picture of the same bytes is it.
 */
export async function jobOfPicture(sha256: string, traces: Traces): Promise<string | null> {
  const page = await api.jobs.list({ seed: traces.seed, limit: 20, ...(traces.words && { q: traces.words }) });
  const jobs = await Promise.all(page.jobs.map(({ id }) => api.jobs.get(id)));
  return jobs.find((job) => job.images.some((image) => image.sha256 === sha256))?.id ?? null;
}
