import { effect } from "@preact/signals";

/** Resolves as soon as `holds` is true; it is asked again whenever a signal that it reads has changed. */
export function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      // An effect cannot be stopped while it runs for the first time.
      if (holds()) queueMicrotask(() => (stop(), resolve()));
    });
  });
}
