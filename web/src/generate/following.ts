/** A job's end, as the tray hears of it. */
import { effect } from "@preact/signals";
import type { Job } from "../api";
import { isOpen, jobOf } from "../tray";

/** Resolves with a job of the tray once it has ended, with null when it is not there any more. */
export function endOf(id: string): Promise<Job | null> {
  return new Promise((resolve) => {
    let known = false;
    const stop = effect(() => {
      const job = jobOf(id);
      const isOver = job ? !isOpen(job) : known;
      known ||= job !== undefined;
      // An effect cannot be stopped while it runs for the first time.
      if (isOver) queueMicrotask(() => (stop(), resolve(job ?? null)));
    });
  });
}
