/** What a person chose for this browser: language and theme. */
import { effect, signal } from "@preact/signals";
import { language, LANGUAGES, preferred, type Language } from "../texts";

export type Theme = "system" | "light" | "dark";
export const theme = signal<Theme>("system");

const LANGUAGE = "darkroom.language";
const THEME = "darkroom.theme";

/** Takes what was chosen before, keeps what is chosen from now on, and tells the document. */
export function startSettings(): void {
  const chosen = localStorage.getItem(LANGUAGE);
  language.value = chosen !== null && chosen in LANGUAGES ? (chosen as Language) : preferred(navigator.languages);
  const dressed = localStorage.getItem(THEME);
  theme.value = dressed === "light" || dressed === "dark" ? dressed : "system";
  effect(() => {
    document.documentElement.lang = language.value;
  });
  effect(() => {
    if (theme.value === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.value;
  });
}

export function chooseLanguage(next: Language): void {
  localStorage.setItem(LANGUAGE, next);
  language.value = next;
}

export function chooseTheme(next: Theme): void {
  localStorage.setItem(THEME, next);
  theme.value = next;
}
