/**
 * Whether the API can be reached. Any answer of it says yes; a request that got none says no, and the page then asks.
 */
import { effect, signal } from "@preact/signals";
import { until } from "./until";

export const online = signal(true);

/** Resolves as soon as the API can be reached. */
export const reachable = () => until(() => online.value);

const PAUSE = 5_000;

/** Asks `probe` for as long as the API cannot be reached, and at once when the browser says that it is back. */
export function mend(probe: () => Promise<boolean>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    clearTimeout(timer);
    if (online.value) return;
    if (await probe()) online.value = true;
    else timer = setTimeout(look, PAUSE);
  };
  const stop = effect(() => {
    if (!online.value) timer = setTimeout(look, PAUSE);
  });
  const lost = () => {
    online.value = false;
  };
  addEventListener("online", look);
  addEventListener("offline", lost);
  return () => {
    stop();
    clearTimeout(timer);
    removeEventListener("online", look);
    removeEventListener("offline", lost);
  };
}
