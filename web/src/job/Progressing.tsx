import type { Job } from "../api";
import { Badge, isOpen, waitWords } from "../tray";
import { Notice, Progress } from "../ui";
import { advice } from "./errorTexts";
import { knownError } from "./facts";
import { t } from "./texts";

const CANCELLED = { before: "cancelledBefore", during: "cancelledDuring", after: "cancelledAfter" } as const;

/** How the job is doing, or how it ended otherwise than well. What the API and the worker say is in English. */
export function Progressing({ job }: { job: Job }) {
  if (isOpen(job)) {
    return (
      <div class="stack" aria-live="polite">
        <div class="job-state">
          <Badge job={job} />
          {job.phase_detail && (
            <span class="muted" lang="en">
              {job.phase_detail}
            </span>
          )}
        </div>
        {waitWords(job) && <p class="muted">{waitWords(job)}</p>}
        <Progress label={t("progress")} value={job.phase === "running" ? job.progress : null} />
      </div>
    );
  }
  return (
    <>
      {job.error && (
        <Notice kind="error">
          <p>
            <strong>{t("failed")}</strong>
          </p>
          <p lang="en" class="job-said">
            {job.error.message}
          </p>
          <p>{advice(knownError(job.error.code) ?? "other")}</p>
          <p class="muted mono">{job.error.code}</p>
        </Notice>
      )}
      {job.status === "cancelled" && <Notice>{t(CANCELLED[job.cancelled ?? "before"])}</Notice>}
      {job.notices.length > 0 && (
        <Notice kind="warning">
          <p>
            <strong>{t("notices")}</strong>
          </p>
          {job.notices.map((one) => (
            <p key={one} lang="en" class="job-said">
              {one}
            </p>
          ))}
        </Notice>
      )}
    </>
  );
}
