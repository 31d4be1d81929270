/** What the page of a job shows of it, told apart from how it looks. */
import type { Job } from "../api";

/** Seconds of each stretch of a job's way; null where nobody measured. */
export interface Stretch {
  name: "waiting" | "loading" | "running";
  seconds: number;
}

/** The stretches that the worker measured: in line or while its endpoint woke, loading model files, running. */
export function stretches(job: Pick<Job, "timings">): Stretch[] {
  const measured = job.timings;
  if (!measured) return [];
  const parts = [measured.download, measured.load].filter((part) => typeof part === "number");
  const loading = parts.length ? parts.reduce((sum, part) => sum + part, 0) : measured.model;
  const all: [Stretch["name"], number | null | undefined][] = [
    ["waiting", measured.queued],
    ["loading", loading],
    ["running", measured.run],
  ];
  return all.flatMap(([name, seconds]) => (typeof seconds === "number" ? [{ name, seconds }] : []));
}

/** The text of a value of a body, as a person reads it: words as they are, all else as JSON. */
export function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const SHOWN_ELSEWHERE = new Set(["prompt", "negative_prompt"]);

/** The fields of a job's body, without its prompts and without what says nothing. */
export function fields(parameters: Job["parameters"]): [string, string][] {
  return Object.entries(parameters)
    .filter(([name, value]) => !SHOWN_ELSEWHERE.has(name) && value !== null && value !== undefined)
    .map(([name, value]) => [name, written(value)]);
}

/** The prompt or negative prompt in full; the line of a job has its beginning only. */
export function promptOf(job: Job, field: "prompt" | "negative_prompt"): string {
  const said = job.parameters[field];
  return typeof said === "string" ? said : field === "prompt" ? (job.prompt ?? "") : "";
}

/** The name of the file that Save writes: the job, the number of the picture, and the extension that it has in S3. */
export function fileName(job: Pick<Job, "id">, key: string, index: number): string {
  const extension = /\.([a-z0-9]+)$/i.exec(key)?.[1] ?? "png";
  return `${job.id}-${index + 1}.${extension}`;
}

export const ERRORS = [
  "worker_failed",
  "bad_answer",
  "answer_missing",
  "expired",
  "worker_stopped",
  "endpoint_deleted",
  "endpoint_failed",
  "endpoint_refused",
  "endpoint_gone",
  "timed_out",
] as const;
export type ErrorCode = (typeof ERRORS)[number];

/** The code if it is one of those that Darkroom itself gives; a worker has codes of its own. */
export function knownError(code: string): ErrorCode | null {
  return (ERRORS as readonly string[]).includes(code) ? (code as ErrorCode) : null;
}

export function isVideo(contentType: string | null): boolean {
  return contentType?.startsWith("video/") ?? false;
}
