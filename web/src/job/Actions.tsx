import type { Job, JobPicture } from "../api";
import { go, lastPlace } from "../app/route";
import { fillFromInfotext, fillFromJob, sendPicture } from "../generate";
import { Button, toast } from "../ui";
import { fileName, isVideo } from "./facts";
import { fileOf, save } from "./files";
import { JobButtons } from "./JobButtons";
import { openJob } from "./open";
import { t } from "./texts";

export interface ActionsProps {
  job: Job;
  image: JobPicture | undefined;
  index: number;
}

const TO = ["img2img", "inpaint", "extras"] as const;

/** What can be done with a job and the picture that is chosen. */
export function Actions({ job, image, index }: ActionsProps) {
  const still = image && !isVideo(image.content_type) ? image : undefined;
  const withFile = async (use: (file: Blob) => void) => {
    try {
      if (image) use(await fileOf(job.id, image));
    } catch {
      toast(t("saveFailed"), { kind: "error" });
    }
  };
  const painted = job.type === "txt2img" || job.type === "img2img";
  const again = (seed: boolean) => {
    if (still?.infotext && job.type === "txt2img") fillFromInfotext(still.infotext, { seed, tab: "txt2img" });
    else fillFromJob({ ...job, images: still ? [still] : job.images }, { seed });
  };
  return (
    <section class="job-actions">
      <div class="row">
        {image && (
          <Button
            kind="primary"
            icon="save"
            onClick={() => withFile((file) => save(file, fileName(job, image.key, index)))}
          >
            {t("save")}
          </Button>
        )}
        {painted && <Button onClick={() => again(true)}>{t("sameSeed")}</Button>}
        <JobButtons job={job} onReplayed={(next) => openJob(next.id)} onRemoved={() => go(lastPlace("history"))} />
      </div>
      {(still || painted) && (
        <div class="row" role="group" aria-label={t("sendTo")}>
          <span class="muted">{t("sendTo")}</span>
          {job.type === "txt2img" && <Button onClick={() => again(false)}>{t("txt2img")}</Button>}
          {still &&
            TO.map((to) => (
              <Button key={to} onClick={() => withFile((file) => sendPicture(to, file))}>
                {t(to)}
              </Button>
            ))}
        </div>
      )}
    </section>
  );
}
