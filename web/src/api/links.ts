/**
 * Signed links that stay the same for as long as they are valid. Every answer of the API signs its links anew; a page
 * that took each of them would load every picture again with every look at a job.
 */

const kept = new Map<string, string>();
const LEFT = 120_000;
const MOST = 2_000;

/**
 * When a signed link (S3's query signature, version 4) expires, in epoch milliseconds; null for a link that says
 * nothing.
 */
export function expiresAt(link: string): number | null {
  const query = new URL(link, "http://localhost").searchParams;
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get("X-Amz-Date") ?? "");
  const seconds = Number(query.get("X-Amz-Expires"));
  if (!date || !Number.isFinite(seconds)) return null;
  const [, year, month, day, hour, minute, second] = date.map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second) + seconds * 1000;
}

/** The link to use for the object of `link`: one from before while it is valid for some time, else this one. */
export function steady(link: string, now: number = Date.now()): string {
  const name = link.split("?")[0] ?? link;
  const before = kept.get(name);
  if (before !== undefined && (expiresAt(before) ?? 0) - now > LEFT) return before;
  if (kept.size >= MOST) kept.clear();
  kept.set(name, link);
  return link;
}

/** Drops the link that is kept for an object, because it did not work. */
export function dropLink(link: string): void {
  kept.delete(link.split("?")[0] ?? link);
}
