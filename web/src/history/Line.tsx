import { api, dropLink, type JobLine } from "../api";
import { JobButtons } from "../job";
import { duration, price, when } from "../texts";
import { Badge, isOpen, jobOf, typeWord } from "../tray";
import { Picture, Progress } from "../ui";
import { t } from "./texts";

export interface LineProps {
  line: JobLine;
  onChange: () => void;
  onRemoved: () => void;
}

/** A job in the history: Time, Type, Status, UUID, and below what tells it from the others. */
export function Line({ line, onChange, onRemoved }: LineProps) {
  const live = jobOf(line.id);
  // A job that is followed is known better than the last page of the history told.
  const job = live && (isOpen(live) || isOpen(line)) ? { ...line, ...live } : line;
  const running = live && isOpen(live) ? live : null;
  const facts = [
    line.owner,
    job.endpoint,
    job.checkpoint,
    job.duration === null ? null : duration(job.duration),
    job.cost === null ? null : price(job.cost, job.cost_estimated),
  ].filter(Boolean);
  return (
    <li class="history-line">
      <span class="history-picture">
        <Picture src={job.thumbnail} alt="" width={72} height={72} lazy renew={() => newThumbnail(line)} />
      </span>
      <div class="history-words">
        <a href={`#/jobs/${line.id}`} class="history-label">
          <time dateTime={line.created_at}>{when(line.created_at)}</time>
          <span>{typeWord(line.type)}</span>
          <Badge job={job} />
          <span class="mono">{line.id}</span>
        </a>
        {(line.title || line.prompt) && <p class="history-prompt">{line.title || beginning(line.prompt ?? "")}</p>}
        <p class="muted history-facts">{facts.join(" · ")}</p>
        {running && <Progress label={t("progress")} value={running.phase === "running" ? running.progress : null} />}
      </div>
      <div class="history-buttons">
        <JobButtons job={job} bare onReplayed={onChange} onRemoved={onRemoved} />
      </div>
    </li>
  );
}

/** A line has the first 120 characters of a prompt; what was cut off there is told by dots. */
function beginning(prompt: string): string {
  return [...prompt].length < 120 ? prompt : `${prompt}…`;
}

async function newThumbnail(line: JobLine): Promise<string | null> {
  if (line.thumbnail) dropLink(line.thumbnail);
  return (await api.jobs.get(line.id)).thumbnail;
}
