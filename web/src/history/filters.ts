/** The filters of the history, as they stand in the page's address, in the API's query and on chips. */
import type { JobLine, JobQuery } from "../api";

export const TYPES: readonly JobLine["type"][] = [
  "txt2img",
  "img2img",
  "extras",
  "interrogate_clip",
  "interrogate_deepbooru",
];
export const STATUSES: readonly JobLine["status"][] = ["in_progress", "succeed", "fail", "cancelled", "created"];

/** Every filter of the history, in the order of its chips; those that may repeat are lists. */
export interface Filters {
  type: JobLine["type"][];
  status: JobLine["status"][];
  endpoint: string;
  checkpoint: string;
  lora: string;
  owner: string;
  /** moments in ISO 8601 with their zone, so that a colleague elsewhere sees the same jobs */
  from: string;
  to: string;
  q: string;
  rating: string[];
  tag: string[];
  seed: string;
}

export type Name = keyof Filters;

export const NONE: Filters = {
  type: [],
  status: [],
  endpoint: "",
  checkpoint: "",
  lora: "",
  owner: "",
  from: "",
  to: "",
  q: "",
  rating: [],
  tag: [],
  seed: "",
};
export const NAMES = Object.keys(NONE) as Name[];

/** What a list may hold; a word that means nothing to the API would refuse the whole view. */
const POSSIBLE: Partial<Record<Name, readonly string[]>> = {
  type: TYPES,
  status: STATUSES,
  rating: ["1", "2", "3", "4", "5"],
};

/** Reads the filters of an address. Words that it does not know are left out. */
export function read(query: URLSearchParams): Filters {
  const entries = NAMES.map((name) => {
    const given = query
      .getAll(name)
      .map((value) => value.trim())
      .filter(Boolean);
    const possible = POSSIBLE[name];
    const values = [...new Set(possible ? given.filter((value) => possible.includes(value)) : given)];
    return [name, Array.isArray(NONE[name]) ? values : (values[0] ?? "")];
  });
  return Object.fromEntries(entries) as unknown as Filters;
}

/** The address's query for filters; what filters nothing is left out. */
export function write(filters: Filters): URLSearchParams {
  const query = new URLSearchParams();
  for (const { name, value } of each(filters)) query.append(name, value);
  return query;
}

/** Every single condition: one for each value of a list. */
export function each(filters: Filters): { name: Name; value: string }[] {
  return NAMES.flatMap((name) =>
    [filters[name]]
      .flat()
      .filter(Boolean)
      .map((value) => ({ name, value })),
  );
}

/** The filters without one condition. */
export function without(filters: Filters, name: Name, value: string): Filters {
  const now: string | string[] = filters[name];
  return { ...filters, [name]: Array.isArray(now) ? now.filter((one) => one !== value) : "" };
}

/** The same for `GET /jobs`. */
export function asQuery(filters: Filters): JobQuery {
  const given = Object.fromEntries(
    NAMES.filter((name) => filters[name].length > 0).map((name) => [name, filters[name]]),
  );
  return given as JobQuery;
}

const pad = (value: number) => String(value).padStart(2, "0");

/**
 * The first moment of a day (`2026-11-27`) where the reader is, or with `end` its last second, with the zone written
 * out.
 */
export function momentOf(day: string, end: boolean): string {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return "";
  const moment = end ? new Date(year, month - 1, date, 23, 59, 59) : new Date(year, month - 1, date);
  const offset = -moment.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${pad(Math.trunc(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  return `${day}T${end ? "23:59:59" : "00:00:00"}${zone}`;
}

/** The day of a moment where the reader is, as a date field takes it; empty for what is no moment. */
export function dayOf(moment: string): string {
  const date = new Date(moment);
  if (!moment || Number.isNaN(date.getTime())) return "";
  return `${String(date.getFullYear()).padStart(4, "0")}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}
