/** Where the page is: the part of the address after `#`, which reaches no server and no log. */
import { effect, signal } from "@preact/signals";

export interface Route {
  /** such as `["jobs", "0190…"]` for `#/jobs/0190…` */
  path: string[];
  query: URLSearchParams;
}

/** Reads a hash. What cannot be decoded is taken as it is written. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/** The hash of a route: `hashOf(["history"], query)` is `#/history?status=fail`. */
export function hashOf(path: readonly string[], query?: URLSearchParams): string {
  const words = query?.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${words ? `?${words}` : ""}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal<Route>(parse(globalThis.location?.hash ?? ""));

const places = new Map<string, string>();

/** The hash that a page was left with, such as the history with its filters. */
export function lastPlace(page: string): string {
  return places.get(page) ?? `#/${page}`;
}

effect(() => {
  const { path, query } = route.value;
  if (path.length === 1) places.set(path[0] ?? "", hashOf(path, query));
});

/** Goes to a hash, such as `#/txt2img`. With `replace` the browser's Back skips the place that is left. */
export function go(hash: string, replace = false): void {
  if (replace) history.replaceState(null, "", hash);
  else if (location.hash !== hash) history.pushState(null, "", hash);
  route.value = parse(hash);
}

/** Follows links, Back and Forward. */
export function followAddress(): void {
  addEventListener("popstate", () => {
    route.value = parse(location.hash);
  });
}
