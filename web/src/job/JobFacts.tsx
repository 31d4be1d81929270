import type { ComponentChildren } from "preact";
import type { Job, JobPicture } from "../api";
import { readInfotext } from "../generate";
import { duration, price, size, when } from "../texts";
import { Badge, typeWord } from "../tray";
import { Accordion, Button, copyText, Picture } from "../ui";
import { fields, promptOf, stretches } from "./facts";
import { renewed } from "./files";
import { t } from "./texts";

/** Everything that is known of a job, in words. */
export function JobFacts({ job, image }: { job: Job; image: JobPicture | undefined }) {
  const infotext = image?.infotext ? readInfotext(image.infotext) : null;
  return (
    <div class="stack job-facts">
      <Prompt label={t("prompt")} text={promptOf(job, "prompt")} />
      <Prompt label={t("negative")} text={promptOf(job, "negative_prompt")} />
      <About job={job} image={image} />
      <Times job={job} />
      <Models job={job} />
      {infotext && infotext.pairs.size > 0 && (
        <Section title={t("parameters")} text={image?.infotext ?? ""}>
          <Rows rows={[...infotext.pairs]} />
        </Section>
      )}
      <Inputs job={job} />
      <Accordion label={t("body")}>
        <dl class="job-rows mono">
          <Pairs rows={fields(job.parameters)} />
        </dl>
      </Accordion>
    </div>
  );
}

function Section({ title, text, children }: { title: string; text?: string; children: ComponentChildren }) {
  return (
    <section class="panel">
      <header class="job-section">
        <h2>{title}</h2>
        {text && (
          <Button kind="quiet" icon="copy" label={`${t("copy")}: ${title}`} onClick={() => void copyText(text)} />
        )}
      </header>
      {children}
    </section>
  );
}

function Prompt({ label, text }: { label: string; text: string }) {
  if (!text) return null;
  return (
    <Section title={label} text={text}>
      <p class="job-said">{text}</p>
    </Section>
  );
}

type Row = readonly [string, ComponentChildren];

function Rows({ rows }: { rows: readonly Row[] }) {
  return (
    <dl class="job-rows">
      <Pairs rows={rows} />
    </dl>
  );
}

/** Rows of a `dl`; those without a value are left out. */
function Pairs({ rows }: { rows: readonly Row[] }) {
  return (
    <>
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </>
  );
}

function About({ job, image }: { job: Job; image: JobPicture | undefined }) {
  const engine = [job.components?.engine, job.components?.version].filter(Boolean).join(" ");
  const seed = image?.seed ?? job.seed;
  return (
    <Section title={t("facts")}>
      <Rows
        rows={[
          [t("uuid"), <span class="mono">{job.id}</span>],
          [
            t("type"),
            job.mode && job.mode !== "img2img" ? `${typeWord(job.type)} · ${t(job.mode)}` : typeWord(job.type),
          ],
          [t("status"), <Badge job={job} />],
          [t("seed"), seed === null || seed === undefined ? null : String(seed)],
          [t("size"), image && `${image.width} × ${image.height}`],
          [t("fileSize"), image?.bytes ? size(image.bytes) : null],
          [t("endpoint"), job.endpoint],
          [t("instance"), job.instance_type],
          [t("engine"), engine],
          [t("owner"), job.owner],
          [t("cost"), job.cost === null ? null : price(job.cost, job.cost_estimated)],
          [t("replayOf"), job.replay_of && <a href={`#/jobs/${job.replay_of}`}>{job.replay_of}</a>],
        ]}
      />
    </Section>
  );
}

const STRETCH = { waiting: "waiting", loading: "loadingModels", running: "running" } as const;

function Times({ job }: { job: Job }) {
  return (
    <Section title={t("times")}>
      <Rows
        rows={[
          [t("created"), <time dateTime={job.created_at}>{when(job.created_at)}</time>],
          ...stretches(job).map(({ name, seconds }): Row => [t(STRETCH[name]), duration(seconds)]),
          [t("completed"), job.completed_at && <time dateTime={job.completed_at}>{when(job.completed_at)}</time>],
          [t("whole"), job.duration === null ? null : duration(job.duration)],
        ]}
      />
    </Section>
  );
}

const KINDS = ["vae", "lora", "hypernetwork", "embedding", "controlnet", "upscaler", "text_encoder"] as const;

function Models({ job }: { job: Job }) {
  const rows: Row[] = [
    [t("checkpoint"), job.checkpoint],
    ...KINDS.map((kind): Row => [t(kind), job.models[kind]?.join("\n")]),
  ];
  if (rows.every(([, value]) => !value)) return null;
  return (
    <Section title={t("models")}>
      <Rows rows={rows} />
    </Section>
  );
}

function Inputs({ job }: { job: Job }) {
  if (job.inputs.length === 0) return null;
  const renew = async (name: string) => (await renewed(job.id)).inputs.find((one) => one.name === name)?.url ?? null;
  return (
    <Section title={t("inputs")}>
      <ul class="job-inputs">
        {job.inputs.map((one) => (
          <li key={one.name}>
            <Picture src={one.url} alt="" width={96} height={96} lazy renew={() => renew(one.name)} />
            <span class="mono">{one.name}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
