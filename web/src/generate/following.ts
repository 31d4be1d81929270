/** Follows a job to its end, as the API asks to be asked. */
import { api, online, pause, Problem, type Job } from "../api";

const WAIT = 20;
const AGAIN = 5_000;
/** Statuses in which nothing more becomes of a job. */
const ENDED: readonly string[] = ["succeed", "fail", "cancelled"];

export function hasEnded(job: Job): boolean {
  return ENDED.includes(job.status);
}

/** The job at its end; `seen` gets it at each answer before. Throws `Problem` when it is gone or refused. */
export async function ended(id: string, seen: (job: Job) => void = () => {}, signal?: AbortSignal): Promise<Job> {
  for (;;) {
    try {
      const { data, retryAfter } = await api.jobs.wait(id, WAIT, signal);
      seen(data);
      if (hasEnded(data)) return data;
      if (retryAfter !== null) await pause(retryAfter * 1000, signal);
    } catch (fault) {
      const passing = fault instanceof Problem && (fault.status === 0 || fault.status === 429 || fault.status >= 500);
      if (!passing) throw fault;
      await pause(online.value ? AGAIN : AGAIN * 2, signal);
    }
  }
}
