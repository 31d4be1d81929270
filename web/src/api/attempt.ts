import { useSignal, type ReadonlySignal } from "@preact/signals";
import { explain } from "./explain";

export interface Attempt {
  busy: ReadonlySignal<boolean>;
  /** why the last try failed, in words */
  problem: ReadonlySignal<string | null>;
  /** Does the work, unless it is being done already; a fault ends up in `problem`. */
  run: (work: () => Promise<void>) => Promise<void>;
}

/** For a dialog or form with one thing to do: whether it is being done, and why it failed. */
export function useAttempt(): Attempt {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const run = async (work: () => Promise<void>) => {
    if (busy.value) return;
    busy.value = true;
    problem.value = null;
    try {
      await work();
    } catch (fault) {
      problem.value = explain(fault);
    } finally {
      busy.value = false;
    }
  };
  return { busy, problem, run };
}
