/** The endpoints as they were last told, and asking for them again. */

import { signal } from "@preact/signals";

import { api, explain, poll, type Endpoint } from "../api";
import { isPassing } from "./state";

/** null: not asked yet. */
export const endpoints = signal<Endpoint[] | null>(null);
export const problem = signal<string | null>(null);
export const isAsking = signal(false);

const SOON = 4_000;
const LATER = 30_000;

/** Ask for all endpoints. What went wrong is in `problem`; the old list stays. */
export async function refresh(): Promise<void> {
  isAsking.value = true;
  try {
    endpoints.value = (await api.endpoints.list()).endpoints;
    problem.value = null;
  } catch (fault) {
    problem.value = explain(fault);
  } finally {
    isAsking.value = false;
  }
}

/** Ask at once and then again and again, sooner while something changes; returns how to stop. */
export function follow(): () => void {
  return poll(refresh, () => (endpoints.value?.some(isPassing) ? SOON : LATER));
}

/** Put an endpoint as it was just answered into the list. */
export function told(endpoint: Endpoint): void {
  const others = (endpoints.value ?? []).filter(({ name }) => name !== endpoint.name);
  const at = endpoints.value?.findIndex(({ name }) => name === endpoint.name) ?? -1;
  others.splice(Math.max(at, 0), 0, endpoint);
  endpoints.value = others;
}

/** Take an endpoint out of the list. */
export function gone(name: string): void {
  endpoints.value = (endpoints.value ?? []).filter((endpoint) => endpoint.name !== name);
}
