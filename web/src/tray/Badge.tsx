import type { Job, JobLine } from "../api";
import { isOpen } from "./store";
import { statusWord } from "./words";
import "./badge.css";

/** The status of a job in its colour; the words say it too. */
export function Badge({ job }: { job: Pick<JobLine, "status"> & Partial<Pick<Job, "phase">> }) {
  return <span class={`badge ${isOpen(job) ? "open" : job.status}`}>{statusWord(job)}</span>;
}
