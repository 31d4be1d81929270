/** Choosing files to upload, and the uploads of this page. */

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

import { explain } from "../api";
import { percent, size } from "../texts";
import { Button, Icon, Notice, Progress, toast } from "../ui";
import { KindFields } from "./KindFields";
import { EXTENSIONS, kindName, type Purpose } from "./kinds";
import { t } from "./texts";
import type { Kind } from "./transfer";
import { begin, drop, hold, resume, uploads, type Upload } from "./uploads";

export function UploadForm() {
  const id = useId();
  const kind = useSignal<Kind>("stable-diffusion");
  const purpose = useSignal<Purpose>("interrogate_clip");
  const isOver = useSignal(false);
  const take = (list: FileList | null | undefined) => {
    for (const blob of list ?? []) {
      begin({ kind: kind.value, name: blob.name, blob, purpose: kind.value === "engine-file" ? purpose.value : null });
    }
  };
  return (
    <div
      class={`panel stack models-upload ${isOver.value ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        isOver.value = false;
        take(event.dataTransfer?.files);
      }}
    >
      <h2>{t("uploadTitle")}</h2>
      <div class="models-filter">
        <KindFields kind={kind} purpose={purpose} />
        <span class="models-file">
          <input
            id={id}
            type="file"
            multiple
            class="hidden-words"
            aria-label={t("choose")}
            accept={EXTENSIONS}
            onChange={(event) => {
              take(event.currentTarget.files);
              event.currentTarget.value = "";
            }}
          />
          <label for={id} class="button primary">
            <Icon name="upload" />
            {t("choose")}
          </label>
        </span>
      </div>
      <p class="hint">{t("uploadHint")}</p>
      {uploads.value.length > 0 && (
        <ul class="models">
          {uploads.value.map((upload) => (
            <Line key={upload.id} upload={upload} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Line({ upload }: { upload: Upload }) {
  const { state, sent, problem, name, kind, blob } = upload;
  const share = blob.size ? sent.value / blob.size : 1;
  const isOpen = state.value !== "done";
  const remove = () => drop(upload).catch((fault: unknown) => toast(explain(fault), { kind: "error" }));
  return (
    <li class="model upload" data-state={state.value}>
      <div class="model-top">
        <strong>{name}</strong>
        <span class="muted">{kindName(kind)}</span>
      </div>
      <Progress label={t("progressOf", { name })} value={share} />
      <div class="model-foot">
        <span class="muted" role="status">
          {t(state.value)} · {percent(share)} · {size(sent.value)} / {size(blob.size)}
        </span>
        <span class="model-buttons">
          {(state.value === "sending" || state.value === "waiting") && (
            <Button icon="pause" label={t("pauseOf", { name })} onClick={() => hold(upload)} />
          )}
          {(state.value === "paused" || state.value === "failed") && (
            <Button icon="play" label={t("resumeOf", { name })} onClick={() => resume(upload)} />
          )}
          <Button icon={isOpen ? "trash" : "close"} label={t(isOpen ? "giveUpOf" : "hideOf", { name })} onClick={() => void remove()} />
        </span>
      </div>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
    </li>
  );
}
