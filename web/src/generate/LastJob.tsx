/** The last job of a tab beside its form: how far it is, and its pictures. */
import { useSignal } from "@preact/signals";
import { api, type Job } from "../api";
import { isOpen, waitWords } from "../tray";
import { Button, ButtonLink, Empty, Notice, Picture, Progress, toast } from "../ui";
import type { Tab } from "./fields";
import { sendPicture, type Destination } from "./filling";
import { latestOf } from "./results";
import { t } from "./texts";

export function LastJob({ tab }: { tab: Tab }) {
  const job = latestOf(tab);
  return (
    <section class={job ? "panel results" : "panel results none"} aria-label={t("results")}>
      {job ? <Shown key={job.id} job={job} /> : <Empty>{t("noResults")}</Empty>}
    </section>
  );
}

function Shown({ job }: { job: Job }) {
  const chosen = useSignal(0);
  const picture = job.images[chosen.value];
  const renew = async () => (await api.jobs.get(job.id)).images[chosen.value]?.url ?? null;
  return (
    <div class="stack">
      <div class="results-stage">
        {picture ? (
          <Picture
            src={picture.url}
            alt={job.prompt || t("results")}
            width={picture.width}
            height={picture.height}
            renew={renew}
          />
        ) : (
          <Waiting job={job} />
        )}
      </div>
      {job.images.length > 1 && (
        <div class="thumbnails" role="group" aria-label={t("pictures")}>
          {job.images.map((each, index) => (
            <button
              key={each.key}
              type="button"
              aria-pressed={index === chosen.value}
              aria-label={t("pictureNumber", { number: String(index + 1) })}
              onClick={() => (chosen.value = index)}
            >
              <Picture src={each.thumbnail ?? each.url} alt="" lazy />
            </button>
          ))}
        </div>
      )}
      {job.error && <Notice kind="error">{job.error.message}</Notice>}
      {job.notices.map((notice) => (
        <Notice key={notice}>{notice}</Notice>
      ))}
      <div class="row results-tools">
        {picture && <SendTo url={picture.url} />}
        <ButtonLink href={`#/jobs/${job.id}`} icon="link">
          {t("openJob")}
        </ButtonLink>
      </div>
      {picture?.infotext && <p class="infotext mono">{picture.infotext}</p>}
      {job.caption && <p>{job.caption}</p>}
    </div>
  );
}

function Waiting({ job }: { job: Job }) {
  const words = job.phase_detail ?? t(`status_${job.status}`);
  return (
    <Empty icon="cloud">
      <p>{words}</p>
      {waitWords(job) && <p>{waitWords(job)}</p>}
      {isOpen(job) && <Progress label={t("progress")} value={job.phase === "running" ? job.progress : null} />}
    </Empty>
  );
}

function SendTo({ url }: { url: string }) {
  const send = async (to: Destination) => {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) sendPicture(to, await answer.blob());
    else toast(t("pictureAway"), { kind: "error" });
  };
  return (
    <>
      {(["img2img", "inpaint", "extras"] as const).map((to) => (
        <Button key={to} icon="send" onClick={() => void send(to)}>
          {t(`send_${to}`)}
        </Button>
      ))}
    </>
  );
}
