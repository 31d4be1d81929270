/** The months whose costs can be seen: UTC, as the API counts them. */

/** So long counts are kept (docs/spending.md). */
const KEPT = 13;
const MONTH = /^20\d{2}-(0[1-9]|1[0-2])$/;

/** A month as in `2026-11`. */
export function monthOf(moment: Date): string {
  return moment.toISOString().slice(0, 7);
}

/** The months with counts, the present one first; `also` stands among them in any case. */
export function months(now: Date, also: string | null): string[] {
  const all = Array.from({ length: KEPT }, (_, back) =>
    monthOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back))),
  );
  return also === null || all.includes(also) ? all : [...all, also].sort().reverse();
}

/** The month of an address, as in `#/costs?month=2026-11`; null for the present one, and for what is no month. */
export function monthIn(query: URLSearchParams): string | null {
  const given = query.get("month") ?? "";
  return MONTH.test(given) ? given : null;
}
