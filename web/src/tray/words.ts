/** The words for what a job is and how it is doing. */
import type { Forecast, Job, JobLine } from "../api";
import { roughly } from "../texts";
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

/** How long an endpoint's first picture takes as a rule when it wakes, by what its last wake-ups let expect. */
export function usualWords({ median, ninth_decile: most, wake_ups: known }: Forecast): string {
  const [time, upper] = [roughly(median), roughly(most, true)];
  if (known === 1) return t("lastTime", { time });
  return time === upper ? t("hardlyLonger", { time }) : t("usually", { time, most: upper });
}

/** For how long an open job waits as a rule, and its place in line; empty for one that does not wait. */
export function waitWords(job: Pick<Job, "status" | "forecast" | "place">): string {
  if (!isOpen(job)) return "";
  const told = job.forecast ? [usualWords(job.forecast)] : [];
  if (job.place !== null) told.push(job.place ? t("jobsBefore", { n: job.place }) : t("firstInLine"));
  return told.join(" ");
}

/** A word for each status and type, for filters. */
export const statusName = (status: JobLine["status"]): string =>
  status === "in_progress" ? t("inProgress") : t(status);
