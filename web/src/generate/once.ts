/** Two clicks make one job: what is sent once more while it is on its way, or right after, is the same wish. */
import { newKey, Problem } from "../api";

/** A second click within this time, in milliseconds, is the same click. */
export const SAME_CLICK = 1500;

interface Attempt<T> {
  key: string;
  answer: Promise<T>;
  until: number;
  open: boolean;
  /** no answer came: whether it was done is not known, so it is sent again with the same key */
  unknown: boolean;
}

/** Sends wishes. `print` tells equal wishes; `send` gets the key that makes a repeated request harmless. */
export class Once<T> {
  #attempts = new Map<string, Attempt<T>>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The answer for a wish: that of the click before, if it is the same click. */
  send(print: string, send: (key: string) => Promise<T>): Promise<T> {
    const before = this.#attempts.get(print);
    if (before && !before.unknown && (before.open || this.now() < before.until)) return before.answer;
    const key = before?.unknown ? before.key : newKey();
    const attempt: Attempt<T> = { key, answer: send(key), until: this.now() + SAME_CLICK, open: true, unknown: false };
    this.#attempts.clear();
    this.#attempts.set(print, attempt);
    attempt.answer.then(
      () => {
        attempt.open = false;
      },
      (fault: unknown) => {
        attempt.open = false;
        attempt.until = 0;
        attempt.unknown = fault instanceof Problem && (fault.status === 0 || fault.status >= 500);
      },
    );
    return attempt.answer;
  }
}
