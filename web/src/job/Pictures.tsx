import { useState } from "preact/hooks";
import type { Job, JobPicture } from "../api";
import { isOpen } from "../tray";
import { Empty, HiddenWords, Icon, Picture } from "../ui";
import { isVideo } from "./facts";
import { newLink } from "./files";
import { t } from "./texts";
import { Viewer } from "./Viewer";

export interface PicturesProps {
  job: Job;
  index: number;
  onChoose: (index: number) => void;
}

/** The pictures of a job: one large, the others in a row below, and a window to zoom in. */
export function Pictures({ job, index, onChoose }: PicturesProps) {
  const [large, setLarge] = useState(false);
  const image = job.images[index];
  if (job.caption) {
    return (
      <section class="panel">
        <h2>{t("caption")}</h2>
        <p class="job-said" lang="en">
          {job.caption}
        </p>
      </section>
    );
  }
  if (!image) return <Empty>{t(isOpen(job) ? "notYet" : "noPictures")}</Empty>;
  const many = job.images.length;
  const name = t("pictureN", { n: index + 1, of: many });
  const renew = () => newLink(job.id, image.key, "url", image.url);
  const step = (by: number) => onChoose((index + by + many) % many);
  return (
    <section class="job-pictures" aria-label={name}>
      <div class="job-large">
        {isVideo(image.content_type) ? (
          <video src={image.url} width={image.width} height={image.height} controls loop aria-label={name} />
        ) : (
          <button type="button" class="job-enlarge" style={room(image)} onClick={() => setLarge(true)}>
            <Picture src={image.url} alt={name} width={image.width} height={image.height} renew={renew} />
            <span class="job-zoom" title={t("enlarge")}>
              <Icon name="fit" />
              <HiddenWords>{t("enlarge")}</HiddenWords>
            </span>
          </button>
        )}
      </div>
      {many > 1 && <Strip job={job} index={index} onChoose={onChoose} />}
      {large && (
        <Viewer
          src={image.url}
          alt={name}
          size={image}
          renew={renew}
          onClose={() => setLarge(false)}
          onStep={many > 1 ? step : undefined}
        />
      )}
    </section>
  );
}

/** The place that a picture takes before it is loaded: its own pixels, or what the column and the window have. */
function room({ width, height }: JobPicture) {
  return { width: `min(100%, ${width}px, calc(72vh * ${width / height}))`, aspectRatio: `${width} / ${height}` };
}

function Strip({ job, index, onChoose }: PicturesProps) {
  const link = (image: JobPicture) => image.thumbnail ?? image.url;
  const which = (image: JobPicture) => (image.thumbnail ? "thumbnail" : "url");
  return (
    <ul class="job-strip">
      {job.images.map((image, n) => (
        <li key={image.key}>
          <button
            type="button"
            aria-label={t("showPicture", { n: n + 1 })}
            aria-current={n === index ? "true" : undefined}
            onClick={() => onChoose(n)}
          >
            <Picture
              src={link(image)}
              alt=""
              width={72}
              height={72}
              lazy
              renew={() => newLink(job.id, image.key, which(image), link(image))}
            />
          </button>
        </li>
      ))}
    </ul>
  );
}
