/** Working hours of an endpoint: what they say, how long they are, and what they cost. */

import type { Endpoint, Hours } from "../api";
import { weekdays } from "../texts";

export type Day = Hours["days"][number];
export const DAYS: readonly Day[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const WEEKS_A_MONTH = 365.25 / 7 / 12;

/** Hours in a month on average; an end that is not after the beginning is on the next day. */
export function hoursAMonth({ days, from, to }: Hours): number {
  const minutes = (text: string) => {
    const [hour = 0, minute = 0] = text.split(":").map(Number);
    return hour * 60 + minute;
  };
  const length = minutes(to) - minutes(from);
  return ((length > 0 ? length : length + 24 * 60) / 60) * days.length * WEEKS_A_MONTH;
}

/** What one instance costs in so many hours in US dollars; null while its price is not known. */
export function costOf({ dollars_an_hour: anHour }: Pick<Endpoint, "dollars_an_hour">, hours: number): number | null {
  return anHour === null ? null : anHour * hours;
}

/** Working hours in a line: days in a row by the first and the last, and the times with their zone. */
export function hoursWords({ days, from, to, time_zone: zone }: Hours): string {
  const names = weekdays();
  const places = days.map((day) => DAYS.indexOf(day)).sort((one, other) => one - other);
  const inARow = places.length > 2 && places.every((place, index) => place === (places[0] ?? 0) + index);
  const shown = inARow ? [places[0], places.at(-1)] : places;
  return `${shown.map((place) => names[place ?? 0]).join(inARow ? "–" : ", ")} ${from}–${to}, ${zone}`;
}

export type HoursFault = "daysMissing" | "timesSame" | "timesMissing" | "zoneMissing";

/** What is wrong with working hours that a person wrote, before the API is asked; null for nothing. */
export function hoursFault({ days, from, to, time_zone: zone }: Hours): HoursFault | null {
  if (days.length === 0) return "daysMissing";
  if (!from || !to) return "timesMissing";
  if (from === to) return "timesSame";
  return zone.trim() ? null : "zoneMissing";
}
