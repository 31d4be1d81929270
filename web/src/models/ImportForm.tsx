/** Fetching a file in the cloud, by its link. */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { api, explain, newKey, type ImportWish } from "../api";
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
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const isTried = useSignal(false);
  const key = useRef({ body: "", key: "" });
  const isLink = /^(https:\/\/|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/)\S+$/.test(link.value.trim());

  const begin = async (event: Event) => {
    event.preventDefault();
    isTried.value = true;
    if (!isLink || isBusy.value) return;
    const wish: ImportWish = { kind: kind.value, url: link.value.trim() };
    if (name.value.trim()) wish.name = name.value.trim();
    if (kind.value === "engine-file") wish.purpose = purpose.value;
    const body = JSON.stringify(wish);
    if (key.current.body !== body) key.current = { body, key: newKey() };
    isBusy.value = true;
    problem.value = null;
    try {
      const file = await api.checkpoints.fetchFrom(wish, key.current.key);
      toast(t("importing", { name: file.name }));
      key.current = { body: "", key: "" };
      link.value = name.value = "";
      isTried.value = false;
      void refresh();
    } catch (fault) {
      problem.value = explain(fault);
      // A try that failed for good may be begun anew.
      key.current = { body: "", key: "" };
    } finally {
      isBusy.value = false;
    }
  };

  return (
    <form class="stack" noValidate onSubmit={(event) => void begin(event)}>
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
        <Button type="submit" busy={isBusy.value}>
          {t("import")}
        </Button>
      </div>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
    </form>
  );
}
