/** A job's end, as the tray hears of it. */
import { until, type Job } from "../api";
import { isOpen, jobOf } from "../tray";

/** Resolves with a job of the tray once it has ended, with null when it is not there any more. */
export async function endOf(id: string): Promise<Job | null> {
  let known = false;
  await until(() => {
    const job = jobOf(id);
    const isOver = job ? !isOpen(job) : known;
    known ||= job !== undefined;
    return isOver;
  });
  return jobOf(id) ?? null;
}
