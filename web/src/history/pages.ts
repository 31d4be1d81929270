/** The pages of the history, joined to one list. */
import type { JobLine, JobPage, JobQuery } from "../api";

export const NEWEST = 10;
const PAGE = 50;
/** A page may be short or empty and still have a next one; so many are asked for before a person is asked to go on. */
const MOST_EMPTY = 5;

export interface Lines {
  jobs: JobLine[];
  /** where the next page begins; null at the end, undefined before the first page */
  next: string | null | undefined;
}

export const NOTHING: Lines = { jobs: [], next: undefined };

export type List = (query: JobQuery) => Promise<JobPage>;

/** Adds at least `wanted` lines after those there are, as far as the history has them. */
export async function more(lines: Lines, filters: JobQuery, list: List, wanted: number): Promise<Lines> {
  let { jobs, next } = lines;
  const aim = jobs.length + wanted;
  for (let asked = 0; next !== null && jobs.length < aim && asked <= MOST_EMPTY; asked += 1) {
    const limit = Math.min(PAGE, Math.max(1, aim - jobs.length));
    const page: JobPage = await list({ ...filters, limit, ...(next && { before: next }) });
    jobs = joined(jobs, page.jobs);
    next = page.next;
  }
  return { jobs, next };
}

/**
 * The lines with the news of the first page: new jobs before the others, known ones as they are now, and without those
 * that were deleted. When the first page has nothing that is known, more came than it holds, and the list begins anew.
 */
export function refreshed(lines: Lines, newest: JobPage): Lines {
  const known = new Set(lines.jobs.map(({ id }) => id));
  const last = newest.jobs.at(-1);
  if (newest.next === null || !last || !newest.jobs.some(({ id }) => known.has(id))) {
    return { jobs: newest.jobs, next: newest.next };
  }
  // Ids are in the order of creation, so what is older than the page's last line stands on a later page.
  return { jobs: [...newest.jobs, ...lines.jobs.filter(({ id }) => id < last.id)], next: lines.next };
}

function joined(before: JobLine[], after: JobLine[]): JobLine[] {
  const known = new Set(before.map(({ id }) => id));
  return [...before, ...after.filter(({ id }) => !known.has(id))];
}
