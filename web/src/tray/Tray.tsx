import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { api, explain, online, type Job } from "../api";
import { go } from "../app/route";
import { Button, Icon, Picture, Progress, toast } from "../ui";
import { Badge } from "./Badge";
import { following } from "./follow";
import type { Wish } from "./keep";
import { putAway, shown } from "./open";
import { sending } from "./outbox";
import { isOpen, jobOf, remember } from "./store";
import { t } from "./texts";
import { statusWord, typeWord, waitWords } from "./words";
import "./tray.css";

const open = signal(false);

/** Open jobs with live progress, at the edge of every page; above its button what else is to be said there. */
export function Tray({ children }: { children?: ComponentChildren }) {
  const jobs = shown.value
    .map((id) => ({ id, job: jobOf(id) }))
    .filter(({ id, job }) => job || following.value.has(id));
  const count = sending.value.length + jobs.filter(({ job }) => !job || isOpen(job)).length;
  const over = jobs.filter(({ job }) => job && !isOpen(job));
  useEffect(() => {
    document.title = count ? `(${count}) Darkroom` : "Darkroom";
  }, [count]);
  return (
    <aside class="tray" aria-label={t("tray")}>
      {open.value && (
        <div class="tray-box">
          <header>
            <h2>{t("tray")}</h2>
            {over.length > 0 && (
              <Button kind="quiet" onClick={() => over.forEach(({ id }) => putAway(id))}>
                {t("clear")}
              </Button>
            )}
            <Button kind="quiet" icon="close" label={t("hide")} onClick={() => (open.value = false)} />
          </header>
          {jobs.length + sending.value.length === 0 && <p class="muted">{t("none")}</p>}
          <ul>
            {sending.value.map((wish) => (
              <SendingRow key={wish.key} wish={wish} />
            ))}
            {jobs.map(({ id, job }) => (job ? <Row key={id} job={job} /> : <li key={id}>{t("asking")}</li>))}
          </ul>
        </div>
      )}
      <div role="status">{children}</div>
      <button type="button" class="tray-button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <Icon name="tray" />
        {t("open", { n: count })}
      </button>
    </aside>
  );
}

function SendingRow({ wish }: { wish: Wish }) {
  const what = String(wish.body.parameters?.["prompt"] ?? "") || typeWord(wish.body.type);
  return (
    <li class="tray-row">
      <span class="tray-picture" />
      <div>
        <p class="tray-what">{what}</p>
        <p class="muted">{online.value ? t("sending") : t("waitingForNetwork")}</p>
      </div>
    </li>
  );
}

function Row({ job }: { job: Job }) {
  const what = job.title || job.prompt || typeWord(job.type);
  const address = `#/jobs/${job.id}`;
  return (
    <li class="tray-row">
      <span class="tray-picture">
        {job.thumbnail && (
          <Picture src={job.thumbnail} alt="" renew={async () => (await api.jobs.get(job.id)).thumbnail} />
        )}
      </span>
      <div>
        <a
          class="tray-what"
          href={address}
          onClick={(event) => {
            event.preventDefault();
            go(address);
          }}
        >
          {what}
        </a>
        <p>
          <Badge job={job} />
        </p>
        {waitWords(job) && <p class="muted">{waitWords(job)}</p>}
        {isOpen(job) && (
          <Progress label={t("progressOf", { what })} value={job.phase === "running" ? job.progress : null} />
        )}
      </div>
      {isOpen(job) ? (
        <Button kind="quiet" icon="stop" label={t("cancel")} onClick={() => void cancel(job.id)} />
      ) : (
        <Button kind="quiet" icon="close" label={t("putAway")} onClick={() => putAway(job.id)} />
      )}
    </li>
  );
}

async function cancel(id: string): Promise<void> {
  try {
    const job = await api.jobs.cancel(id);
    remember(job);
    toast(statusWord(job));
  } catch (fault) {
    toast(explain(fault), { kind: "error" });
  }
}
