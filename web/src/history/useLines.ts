import { useEffect, useRef, useState } from "preact/hooks";
import { api, type JobLine, type JobQuery } from "../api";
import { more, NEWEST, NOTHING, refreshed, type Lines } from "./pages";

const EVERY = 15_000;
const MORE = 50;

export interface Loaded extends Lines {
  /** a look for news is on its way */
  busy: boolean;
  /** more lines are on their way */
  loading: boolean;
  fault: unknown;
  refresh: () => void;
  loadMore: () => void;
  /** takes a line out that was deleted */
  drop: (id: string) => void;
}

/**
 * The lines that a query finds. While `active` they are refreshed now and then, and at once when `news` changes. A
 * query that changes begins anew; what was asked before is then given up.
 */
export function useLines(query: JobQuery, active: boolean, news: unknown): Loaded {
  const [lines, setLines] = useState<Lines>(NOTHING);
  const [work, setWork] = useState<{ busy: boolean; loading: boolean; fault: unknown }>(IDLE);
  const text = JSON.stringify(query);
  const stop = useRef(new AbortController());
  const shown = useRef(lines);
  shown.current = lines;

  const run = async (kind: "busy" | "loading", next: (signal: AbortSignal) => Promise<Lines>) => {
    const { signal } = stop.current;
    setWork({ ...IDLE, [kind]: true });
    try {
      const found = await next(signal);
      if (signal.aborted) return;
      setLines(found);
      setWork(IDLE);
    } catch (fault) {
      if (!signal.aborted) setWork({ ...IDLE, fault });
    }
  };
  const list = (signal: AbortSignal) => (asked: JobQuery) => api.jobs.list(asked, signal);
  const refresh = () =>
    void run("busy", async (signal) => {
      if (shown.current.next === undefined) return more(NOTHING, query, list(signal), NEWEST);
      return refreshed(shown.current, await list(signal)({ ...query, limit: NEWEST }));
    });
  const loadMore = () => {
    if (!work.loading && shown.current.next)
      void run("loading", (signal) => more(shown.current, query, list(signal), MORE));
  };

  useEffect(() => {
    stop.current.abort();
    stop.current = new AbortController();
    shown.current = NOTHING;
    setLines(NOTHING);
    return () => stop.current.abort();
  }, [text]);
  useEffect(() => {
    if (!active) return undefined;
    if (stop.current.signal.aborted) stop.current = new AbortController();
    refresh();
    const timer = setInterval(() => document.hidden || refresh(), EVERY);
    return () => clearInterval(timer);
  }, [active, news, text]);

  const drop = (id: string) =>
    setLines((now) => ({ ...now, jobs: now.jobs.filter((line: JobLine) => line.id !== id) }));
  return { ...lines, ...work, refresh, loadMore, drop };
}

const IDLE = { busy: false, loading: false, fault: null as unknown };
