/** The uploads of this page: one file at a time, each with pause and resume. */

import { signal, type Signal } from "@preact/signals";

import { api, explain, pause, Problem } from "../api";
import { send, sha256Of } from "../pictures";
import { t } from "./texts";
import { Interrupted, transfer, type TransferFile, type World } from "./transfer";

export type UploadState = "waiting" | "sending" | "paused" | "done" | "failed";

export interface Upload extends TransferFile {
  id: number;
  state: Signal<UploadState>;
  /** Bytes that have arrived. */
  sent: Signal<number>;
  /** Why it failed or stands still, in words. */
  problem: Signal<string | null>;
}

export const uploads = signal<Upload[]>([]);

const world: World = {
  checkpoints: api.checkpoints,
  send,
  sha256: sha256Of,
  pause,
};

const running = new Map<number, AbortController>();
let last = 0;
/** Called whenever a file is new on the shelf, or is begun. */
const listeners = new Set<() => void>();

/** Be told when the shelf has changed; returns how to stop. */
export function onShelfChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Begin an upload; it waits until those before it are done or stand still. */
export function begin(file: TransferFile): void {
  const again = uploads.value.find((one) => one.kind === file.kind && one.name === file.name && one.state.value !== "done");
  if (again) {
    again.blob = file.blob;
    resume(again);
    return;
  }
  const upload: Upload = { ...file, id: ++last, state: signal("waiting"), sent: signal(0), problem: signal(null) };
  uploads.value = [...uploads.value, upload];
  next();
}

/** Stop for now. What has arrived stays where it is. */
export function hold(upload: Upload): void {
  upload.state.value = "paused";
  running.get(upload.id)?.abort();
  next();
}

/** Go on with what was paused or failed. */
export function resume(upload: Upload): void {
  if (upload.state.value === "sending") return;
  upload.state.value = "waiting";
  upload.problem.value = null;
  next();
}

/** Take a line away; one that is not done is given up, and its parts are deleted. */
export async function drop(upload: Upload): Promise<void> {
  const wasDone = upload.state.value === "done";
  if (!wasDone) hold(upload);
  uploads.value = uploads.value.filter((one) => one !== upload);
  if (wasDone) return;
  // One that the API did not take may have the name of a file that is there: that one must stay.
  if (registered.has(upload)) await api.checkpoints.remove(upload.kind, upload.name);
  tell();
}

/** The uploads that the API has begun. */
const registered = new WeakSet<Upload>();

function tell(): void {
  for (const listener of listeners) listener();
}

function next(): void {
  if (running.size) return;
  const upload = uploads.value.find((one) => one.state.value === "waiting");
  if (upload) void run(upload);
}

async function run(upload: Upload): Promise<void> {
  const stop = new AbortController();
  running.set(upload.id, stop);
  guard();
  upload.state.value = "sending";
  upload.sent.value = 0;
  try {
    await transfer(upload, world, {
      onRegistered: () => {
        registered.add(upload);
        tell();
      },
      onProgress: (bytes) => (upload.sent.value = bytes),
      signal: stop.signal,
    });
    upload.sent.value = upload.blob.size;
    upload.state.value = "done";
  } catch (fault) {
    if (!stop.signal.aborted) failed(upload, fault);
  } finally {
    running.delete(upload.id);
    guard();
    tell();
    next();
  }
}

function failed(upload: Upload, fault: unknown): void {
  upload.state.value = fault instanceof Interrupted || (fault instanceof Problem && fault.status === 0) ? "paused" : "failed";
  if (fault instanceof Problem) {
    upload.problem.value = explain(fault);
  } else if (fault instanceof Interrupted) {
    upload.problem.value = fault.status ? t("partRefused", { status: String(fault.status) }) : t("partLost");
  } else {
    // The browser does not let a file be read that was changed, moved or deleted since it was chosen.
    upload.problem.value = t("fileGone");
  }
}

/** Ask before the page is left while something is sent. */
function guard(): void {
  if (running.size) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
