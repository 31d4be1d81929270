/**
 * The jobs that the page knows, as they were told last. Whoever reads one while rendering is rendered with its news.
 */
import { signal } from "@preact/signals";
import type { Job } from "../api";

const jobs = signal<ReadonlyMap<string, Job>>(new Map());
const MOST = 300;

/** The job that ended last while the page was open; null before the first. */
export const ended = signal<Job | null>(null);

export const OPEN: readonly Job["status"][] = ["created", "in_progress"];

/** Whether more will be heard of a job. */
export function isOpen(job: Pick<Job, "status">): boolean {
  return OPEN.includes(job.status);
}

/** What is known of a job, or undefined. */
export function jobOf(id: string): Job | undefined {
  return jobs.value.get(id);
}

/** Keeps what was told of a job, and says so when it has ended. The oldest are forgotten when there are too many. */
export function remember(job: Job): void {
  const before = jobs.peek().get(job.id);
  const next = new Map(jobs.peek());
  next.delete(job.id);
  next.set(job.id, job);
  for (const id of next.keys()) {
    if (next.size <= MOST) break;
    next.delete(id);
  }
  jobs.value = next;
  if (before && isOpen(before) && !isOpen(job)) ended.value = job;
}

/** Forgets a job that is not there any more. */
export function forget(id: string): void {
  const next = new Map(jobs.peek());
  if (next.delete(id)) jobs.value = next;
}
