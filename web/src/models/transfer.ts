/** Sending a model file in parts, as the API asks for them. A part that is stored already is not sent again, so an
 * upload goes on where it was, also after a reload and from another machine. */

import type { api, Checkpoint, CheckpointWish, Parts, Registered } from "../api";
import type { Sending, Sent } from "../pictures";

export type Kind = Checkpoint["kind"];

export interface TransferFile {
  kind: Kind;
  /** The name on the shelf. */
  name: string;
  blob: Blob;
  purpose: Checkpoint["purpose"];
}

/** What an upload needs from the world; tests give their own. */
export interface World {
  checkpoints: Pick<typeof api.checkpoints, "register" | "parts" | "complete">;
  send: (sending: Sending) => Promise<Sent>;
  sha256: (blob: Blob) => Promise<string>;
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export interface Watcher {
  /** The API knows the file now. */
  onRegistered?: () => void;
  /** How many bytes have arrived, or were there before. */
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}

/** Why an upload stops although the API refused nothing: a part that did not arrive is tried again by a person. */
export class Interrupted extends Error {
  constructor(readonly status: number) {
    super(`a part did not arrive (${status})`);
  }
}

const PARALLEL = 3;
const RETRIES = 4;
const FIRST_PAUSE = 500;
/** S3's statuses for a corrupted part, an expired link, a stalled connection, and too many requests; 0: no answer. */
const PASSING = new Set([0, 400, 403, 408, 429]);

/** Upload a file, or the parts of it that are missing, and put it on the shelf. Throws Problem where the API refuses,
 * Interrupted where a part does not arrive, and the signal's reason when it was stopped. */
export async function transfer(file: TransferFile, world: World, watcher: Watcher): Promise<Checkpoint> {
  const { upload } = await world.checkpoints.register(wishOf(file));
  watcher.onRegistered?.();
  const { stored } = await world.checkpoints.parts({ kind: file.kind, name: file.name, parts: [] });
  const arrived = new Map<number, number>();
  const report = (number: number, bytes: number) => {
    arrived.set(number, bytes);
    watcher.onProgress([...arrived.values()].reduce((sum, each) => sum + each, 0));
  };
  const known = new Map(stored.map((part) => [part.number, part]));
  let next = 1;
  const stop = new AbortController();
  const signal = AbortSignal.any([watcher.signal, stop.signal]);
  const work = async () => {
    while (next <= upload.parts) {
      signal.throwIfAborted();
      const number = next++;
      await sendPart(file, upload, number, known.get(number) ?? null, world, signal, (bytes) => report(number, bytes));
    }
  };
  const workers = Array.from({ length: Math.min(PARALLEL, upload.parts) }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    // The others would go on sending for nothing.
    stop.abort();
    await Promise.allSettled(workers);
    throw error;
  }
  return world.checkpoints.complete({ kind: file.kind, name: file.name });
}

/** The body of `POST /checkpoints`. */
export function wishOf({ kind, name, blob, purpose }: TransferFile): CheckpointWish {
  return { kind, name, size: blob.size, ...(purpose ? { purpose } : {}) };
}

async function sendPart(
  file: TransferFile,
  shape: Registered["upload"],
  number: number,
  stored: Parts["stored"][number] | null,
  world: World,
  signal: AbortSignal,
  report: (bytes: number) => void,
): Promise<void> {
  const begin = (number - 1) * shape.part_size;
  const part = file.blob.slice(begin, Math.min(begin + shape.part_size, file.blob.size));
  const sha256 = await world.sha256(part);
  if (stored?.size === part.size && stored.sha256 === sha256) {
    report(part.size);
    return;
  }
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    const { urls } = await world.checkpoints.parts({ kind: file.kind, name: file.name, parts: [{ number, sha256 }] });
    const link = urls[0];
    if (!link) throw new Interrupted(0);
    const { url, headers } = link;
    const answer = await world.send({ method: "PUT", url, headers, body: part, onSent: report, signal });
    if (answer.ok) {
      report(part.size);
      return;
    }
    report(0);
    if (attempt === RETRIES || !(PASSING.has(answer.status) || answer.status >= 500)) throw new Interrupted(answer.status);
    await world.pause(FIRST_PAUSE * 2 ** attempt, signal);
  }
}
