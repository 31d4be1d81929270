/**
 * The key of the person who uses the page. It is kept for this tab, or on this device if the person says so, and goes
 * nowhere but into the header `Authorization`.
 */
import { signal } from "@preact/signals";

const NAME = "darkroom.key";

/** Why the page asks for a key: it has none, or the API refused the one it had. Null while it has one that works. */
export const asked = signal<"missing" | "refused" | null>(null);

let waiting: ((key: string) => void)[] = [];

/** The key of this tab or device, or null. */
export function storedKey(): string | null {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
}

/** Where the key lies, for what must not outlive it: the tab's storage, or the device's if it is kept there. */
export function keyStorage(): Storage {
  return localStorage.getItem(NAME) === null ? sessionStorage : localStorage;
}

/**
 * The key to use now. Without one, or when `refused` is the one there is, the page asks, and this waits for the
 * answer.
 */
export function currentKey(refused?: string): Promise<string> {
  const stored = storedKey();
  if (stored !== null && stored !== refused) return Promise.resolve(stored);
  asked.value = stored === null ? "missing" : "refused";
  return new Promise((resolve) => waiting.push(resolve));
}

/** Takes a key into use: for this tab, or with `keep` on this device until it is forgotten. */
export function useKey(key: string, keep: boolean): void {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
  (keep ? localStorage : sessionStorage).setItem(NAME, key);
  asked.value = null;
  const resume = waiting;
  waiting = [];
  for (const resolve of resume) resolve(key);
}

/** Forgets the key here. What is shown stays until the page is loaded again. */
export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

/** A key as a person pastes it: without spaces around it, and without the word before it. */
export function cleaned(text: string): string {
  return text.trim().replace(/^Bearer\s+/i, "");
}
