/** Fetching a file in the cloud, by its link. */

import { useSignal } from "@preact/signals";

import { api, useAttempt, type ImportWish } from "../api";
import { Button, Field, Notice, toast } from "../ui";
import { KindFields } from "./KindFields";
import type { Purpose } from "./kinds";
import { refresh } from "./shelf";
import { t } from "./texts";
import type { Kind } from "./transfer";

export function ImportForm() {
  const kind = useSignal<Kind>("stable-diffusion");
  const purpose = useSignal<Purpose>("interrogate_clip");
  const link = useSignal("");
  const name = useSignal("");
  const { busy, problem, run } = useAttempt();
  const isTried = useSignal(false);
  const isLink = /^(https:\/\/|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/)\S+$/.test(link.value.trim());

  const begin = async () => {
    const wish: ImportWish = { kind: kind.value, url: link.value.trim() };
    if (name.value.trim()) wish.name = name.value.trim();
    if (kind.value === "engine-file") wish.purpose = purpose.value;
    const file = await api.checkpoints.fetchFrom(wish);
    toast(t("importing", { name: file.name }));
    link.value = name.value = "";
    isTried.value = false;
    void refresh();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    isTried.value = true;
    if (isLink) void run(begin);
  };

  return (
    <form class="stack" noValidate onSubmit={submit}>
      <Field
        label={t("link")}
        type="url"
        value={link.value}
        hint={t("linkHint")}
        error={isTried.value && !isLink ? t("linkWrong") : null}
        autocomplete="off"
        onChange={(text) => (link.value = text)}
      />
      <div class="models-filter">
        <Field label={t("importName")} value={name.value} autocomplete="off" onChange={(text) => (name.value = text)} />
        <KindFields kind={kind} purpose={purpose} />
        <Button type="submit" busy={busy.value}>
          {t("import")}
        </Button>
      </div>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
    </form>
  );
}
