/** The words for what a job is and how it is doing. */
import type { Job, JobLine } from "../api";
import { isOpen } from "./store";
import { t } from "./texts";

/** Type and, for img2img, its mode as the WebUI's tab is called. */
export function typeWord(type: JobLine["type"]): string {
  return t(type);
}

/** The status, and for an open job what it is doing as far as that is known. */
export function statusWord(job: Pick<JobLine, "status"> & Partial<Pick<Job, "phase">>): string {
  return t(isOpen(job) && job.phase ? job.phase : job.status);
}

/** A word for each status and type, for filters. */
export const statusName = (status: JobLine["status"]): string =>
  status === "in_progress" ? t("inProgress") : t(status);
