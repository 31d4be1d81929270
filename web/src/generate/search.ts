import type { Checkpoint } from "../api";

/** Whether every word stands in the file's names, its folder, its base model or its trigger words. */
export function fits(file: Checkpoint, words: string): boolean {
  const text = [file.name, file.folder, file.base_model, ...file.aliases, ...file.trigger_words]
    .join(" ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
