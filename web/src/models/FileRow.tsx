/** One file of the shelf. */

import { useId } from "preact/hooks";

import type { Checkpoint } from "../api";
import { percent, size, when } from "../texts";
import { Button, Chip, Icon, Notice, Progress, toast } from "../ui";
import { EXTENSIONS, kindName, purposeName } from "./kinds";
import { t } from "./texts";
import { begin, uploads } from "./uploads";

export function FileRow({ file, onDelete }: { file: Checkpoint; onDelete: () => void }) {
  const isHere = uploads.value.some((one) => one.kind === file.kind && one.name === file.name && one.state.value !== "done");
  return (
    <li class="model">
      <div class="model-top">
        <strong>{file.name}</strong>
        <span class="muted">{[kindName(file.kind), file.base_model].filter(Boolean).join(" · ")}</span>
      </div>
      {file.trigger_words.length > 0 && (
        <div class="model-words" aria-label={t("triggerWords")} role="group">
          {file.trigger_words.slice(0, 12).map((word) => (
            <Chip key={word}>{word}</Chip>
          ))}
        </div>
      )}
      {file.pickle && <p class="model-warning">{t("pickle")}</p>}
      {file.status === "importing" && (
        <>
          <Progress label={t("progressOf", { name: file.name })} value={file.size ? (file.done ?? 0) / file.size : null} />
          <p class="muted">{t("importDone", { share: file.size ? percent((file.done ?? 0) / file.size) : size(file.done ?? 0) })}</p>
        </>
      )}
      {file.status === "uploading" && !isHere && <p class="model-warning">{t("uploadOpen")}</p>}
      {file.reason && <Notice kind={file.status === "fail" ? "error" : "info"}>{file.reason}</Notice>}
      <div class="model-foot">
        <span class="muted">{factsOf(file)}</span>
        <span class="model-buttons">
          {file.status === "uploading" && !isHere && <Continue file={file} />}
          {!isHere && <Button icon="trash" label={t("deleteOf", { name: file.name })} onClick={onDelete} />}
        </span>
      </div>
    </li>
  );
}

function factsOf(file: Checkpoint): string {
  return [
    file.size === null ? null : size(file.size),
    file.purpose && purposeName(file.purpose),
    file.folder,
    file.owner,
    file.created_at && when(file.created_at),
    file.aliases.length ? t("aliases", { names: file.aliases.join(", ") }) : null,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** Goes on with an upload that another page began: the same file must be chosen again, for a page that was closed may
 * not read it any more. */
function Continue({ file }: { file: Checkpoint }) {
  const id = useId();
  const take = (blob: File | undefined) => {
    if (!blob) return;
    if (blob.size !== file.size) {
      toast(t("otherFile", { name: file.name, size: size(file.size ?? 0), chosen: size(blob.size) }), { kind: "error" });
      return;
    }
    begin({ kind: file.kind, name: file.name, blob, purpose: file.purpose ?? null });
  };
  return (
    <span class="models-file">
      <input
        id={id}
        type="file"
        class="hidden-words"
        aria-label={t("continueOf", { name: file.name })}
        accept={EXTENSIONS}
        onChange={(event) => {
          take(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
      <label for={id} class="button secondary">
        <Icon name="upload" />
        {t("continue")}
      </label>
    </span>
  );
}
