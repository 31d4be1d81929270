/** Reading what comes from elsewhere (storage, answers, bodies) without trusting it. */

/** The value of a JSON text; null for one that cannot be read, or for none. */
export function fromJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** The fields of an object; of anything else none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
