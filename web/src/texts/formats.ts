/** Times, durations, sizes and prices as the chosen language writes them. */
import { language } from "./index";

/** Day and time to the second in the reader's time zone. `iso` is what the API answers. */
export function when(iso: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso));
}

/** A number with at most `digits` decimal places. */
export function number(value: number, digits = 2): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

/** A share from 0 to 1 in per cent. */
export function percent(share: number): string {
  return new Intl.NumberFormat(language.value, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** US dollars, which is what AWS counts in; of prices below ten cents the first two digits that are not 0. What is only
 * known not to be dearer has a sign for that. */
export function price(dollars: number, atMost = false): string {
  const small = dollars !== 0 && Math.abs(dollars) < 0.1;
  const text = new Intl.NumberFormat(language.value, {
    style: "currency",
    currency: "USD",
    ...(small ? { maximumSignificantDigits: 2 } : {}),
  }).format(dollars);
  return atMost ? `≤ ${text}` : text;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A number of bytes in the unit that reads best, by thousands. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(language.value, {
    style: "unit",
    unit: UNITS[unit] ?? "byte",
    unitDisplay: unit === 0 ? "long" : "short",
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}

function unit(value: number, name: "hour" | "minute" | "second", digits = 0): string {
  return new Intl.NumberFormat(language.value, {
    style: "unit",
    unit: name,
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(value);
}

/** Seconds in a round number, rounded up if `up`: tens of seconds below two minutes, else minutes, and hours from 100. */
export function roughly(seconds: number, up = false): string {
  const step = seconds < 120 ? 10 : 60;
  const whole = step * Math.max(1, up ? Math.ceil(seconds / step) : Math.round(seconds / step));
  if (whole < 120) return unit(whole, "second");
  if (whole < 6000) return unit(whole / 60, "minute");
  const rest = (whole % 3600) / 60;
  return rest ? `${unit(Math.floor(whole / 3600), "hour")} ${unit(rest, "minute")}` : unit(whole / 3600, "hour");
}

/** Hours with at most two decimal places: `12.5 hr`. */
export function hours(value: number): string {
  return unit(value, "hour", 2);
}

/** A month as in `2026-11`: `November 2026`. */
export function month(name: string): string {
  const [year = 0, number = 1] = name.split("-").map(Number);
  const long = new Intl.DateTimeFormat(language.value, { month: "long", year: "numeric", timeZone: "UTC" });
  return long.format(Date.UTC(year, number - 1));
}

/** The short names of the days of a week, from Monday on. */
export function weekdays(): string[] {
  const short = new Intl.DateTimeFormat(language.value, { weekday: "short", timeZone: "UTC" });
  return [1, 2, 3, 4, 5, 6, 7].map((day) => short.format(Date.UTC(2024, 0, day)));
}

/** Seconds as a person says them: `0.8 sec`, `42 sec`, `3 min 5 sec`, `2 hr 4 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return unit(seconds, "second", 1);
  const whole = Math.round(seconds);
  if (whole < 60) return unit(whole, "second");
  if (whole < 3600) return `${unit(Math.floor(whole / 60), "minute")} ${unit(whole % 60, "second")}`;
  return `${unit(Math.floor(whole / 3600), "hour")} ${unit(Math.floor((whole % 3600) / 60), "minute")}`;
}
