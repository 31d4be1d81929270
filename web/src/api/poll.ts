/**
 * Calls `ask` at once and then again and again while the page is in sight: a page that nobody sees asks nothing. `pause`
 * says after each time how many milliseconds to wait. Returns how to stop.
 */
export function poll(ask: () => Promise<void>, pause: () => number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const look = async () => {
    if (!document.hidden) await ask();
    if (!stopped) timer = setTimeout(look, pause());
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
