import { useEffect, useState } from "preact/hooks";
import { api, explain, Problem, type Job } from "../api";
import { go, lastPlace } from "../app/route";
import { isOpen, jobOf, remember, track } from "../tray";
import { Button, Notice } from "../ui";
import { Actions } from "./Actions";
import { JobFacts } from "./JobFacts";
import { Pictures } from "./Pictures";
import { Progressing } from "./Progressing";
import { t } from "./texts";
import "./job.css";

/** The page of a job. An open job is followed, so the page shows its news as they come. */
export function JobPage({ id }: { id: string }) {
  const [fault, setFault] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  const job = jobOf(id);
  useEffect(() => {
    const stop = new AbortController();
    setFault(null);
    api.jobs.get(id, stop.signal).then(
      (fresh) => (isOpen(fresh) ? track(fresh) : remember(fresh)),
      (reason: unknown) => stop.signal.aborted || setFault(reason),
    );
    return () => stop.abort();
  }, [id, tries]);

  return (
    <div class="job">
      <div>
        <Button kind="quiet" icon="left" onClick={() => go(lastPlace("history"))}>
          {t("back")}
        </Button>
      </div>
      {fault !== null && (
        <Notice kind="error">
          <p>{fault instanceof Problem && fault.status === 404 ? t("gone") : explain(fault)}</p>
          <Button onClick={() => setTries(tries + 1)}>{t("retry")}</Button>
        </Notice>
      )}
      {job ? <Whole job={job} /> : fault === null && <p class="muted job-loading">{t("loading")}</p>}
    </div>
  );
}

function Whole({ job }: { job: Job }) {
  const [chosen, setChosen] = useState(0);
  const index = Math.min(chosen, Math.max(0, job.images.length - 1));
  return (
    <div class="job-columns">
      <div class="stack">
        <Progressing job={job} />
        <Pictures job={job} index={index} onChoose={setChosen} />
        <Actions job={job} image={job.images[index]} index={index} />
      </div>
      <JobFacts job={job} image={job.images[index]} />
    </div>
  );
}
