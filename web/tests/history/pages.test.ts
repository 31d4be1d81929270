import { describe, expect, it } from "vitest";
import type { JobPage, JobQuery } from "../../src/api";
import { more, NOTHING, refreshed } from "../../src/history/pages";
import { line } from "../jobs";

const lines = (...ids: string[]) => ids.map((id) => line({ id }));
const ids = ({ jobs }: { jobs: { id: string }[] }) => jobs.map(({ id }) => id);

/** A history that answers these pages in turn, and tells what it was asked. */
function history(...pages: JobPage[]) {
  const asked: JobQuery[] = [];
  return { asked, list: async (query: JobQuery) => (asked.push(query), pages.shift()!) };
}

describe("more of the history", () => {
  it("goes on over short and empty pages until there is enough", async () => {
    const { asked, list } = history(
      { jobs: lines("9"), next: "a" },
      { jobs: [], next: "b" },
      { jobs: lines("8", "7"), next: "c" },
    );
    const found = await more(NOTHING, { q: "pier" }, list, 3);
    expect(ids(found)).toEqual(["9", "8", "7"]);
    expect(asked).toEqual([
      { q: "pier", limit: 3 },
      { q: "pier", limit: 2, before: "a" },
      { q: "pier", limit: 2, before: "b" },
    ]);
  });

  it("pauses after some pages without a job, and knows where it was", async () => {
    const empty = Array.from({ length: 9 }, (_, n) => ({ jobs: [], next: String(n) }));
    const { asked, list } = history(...empty);
    expect(await more(NOTHING, {}, list, 10)).toEqual({ jobs: [], next: "5" });
    expect(asked).toHaveLength(6);
  });

  it("ends at the end, and never shows a job twice", async () => {
    const { list } = history({ jobs: lines("3", "2"), next: null });
    const found = await more({ jobs: lines("4", "3"), next: "x" }, {}, list, 50);
    expect(ids(found)).toEqual(["4", "3", "2"]);
    expect(found.next).toBeNull();
  });
});

describe("news of the history", () => {
  const shown = { jobs: lines("6", "5", "4", "3", "2"), next: "p" };

  it("come first, and what was deleted goes", () => {
    const news = refreshed(shown, { jobs: lines("7", "6", "4"), next: "q" });
    expect(ids(news)).toEqual(["7", "6", "4", "3", "2"]);
    expect(news.next).toBe("p");
  });

  it("begin the list anew when more came than a page holds", () => {
    expect(ids(refreshed(shown, { jobs: lines("99", "98"), next: "q" }))).toEqual(["99", "98"]);
  });

  it("that are the whole history are all of it", () => {
    expect(refreshed(shown, { jobs: [], next: null })).toEqual({ jobs: [], next: null });
  });
});
