/** The shelf: all model files of the stage, uploading more, importing by link, deleting. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { Checkpoint } from "../api";
import { Accordion, Button, Empty, Field, Notice, Progress, Select, type PageProps } from "../ui";
import { DeleteFile } from "./DeleteFile";
import { FileRow } from "./FileRow";
import { ImportForm } from "./ImportForm";
import { KINDS, kindName } from "./kinds";
import { files, follow, idOf, isAsking, kind, loadMore, more, problem, refresh, words } from "./shelf";
import { t } from "./texts";
import type { Kind } from "./transfer";
import { UploadForm } from "./UploadForm";
import { onShelfChange } from "./uploads";
import "./models.css";

const TYPING = 300;

export function Models({ active }: PageProps) {
  const deleting = useSignal<Checkpoint | null>(null);
  const typing = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    if (!active) return;
    const stop = follow();
    const forget = onShelfChange(() => void refresh());
    return () => {
      stop();
      forget();
    };
  }, [active]);
  const search = (text: string) => {
    words.value = text;
    clearTimeout(typing.current);
    typing.current = setTimeout(() => void refresh(), TYPING);
  };
  const all = files.value;
  return (
    <section class="stack" aria-label={t("title")}>
      <UploadForm />
      <Accordion label={t("importTitle")}>
        <ImportForm />
      </Accordion>
      <div class="models-filter">
        <Select
          label={t("kind")}
          value={kind.value}
          options={[{ value: "", label: t("allKinds") }, ...KINDS.map((value) => ({ value, label: kindName(value) }))]}
          onChange={(value) => {
            kind.value = value as Kind | "";
            void refresh();
          }}
        />
        <Field label={t("search")} type="search" value={words.value} onChange={search} />
        <Button icon="refresh" label={t("refresh")} busy={isAsking.value} onClick={() => void refresh()} />
      </div>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
      {!all && !problem.value && <Progress label={t("asking")} />}
      {all?.length === 0 && <Empty icon="tray">{t(kind.value || words.value ? "noneFound" : "none")}</Empty>}
      <ul class="models">
        {all?.map((file) => <FileRow key={idOf(file)} file={file} onDelete={() => (deleting.value = file)} />)}
      </ul>
      {more.value && (
        <Button busy={isAsking.value} onClick={() => void loadMore()}>
          {t("more")}
        </Button>
      )}
      {deleting.value && <DeleteFile file={deleting.value} onClose={() => (deleting.value = null)} />}
    </section>
  );
}
