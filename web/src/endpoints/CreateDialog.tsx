/** The form of a new endpoint. */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { api, newKey, useAttempt } from "../api";
import { Button, Dialog, DialogButtons, Field, Notice, Radios, Slider, toast } from "../ui";
import { Bounds } from "./Bounds";
import { told } from "./store";
import { t } from "./texts";
import { EMPTY_FORM, faultsOf, wishOf, type Container, type EndpointForm } from "./wish";

const CONTAINERS: readonly Container[] = ["stage", "diffusers", "preview", "own"];
const HINTS = { stage: "stageHint", diffusers: "diffusersHint", preview: "previewHint", own: "ownHint" } as const;

export function CreateDialog({ onClose }: { onClose: () => void }) {
  const form = useSignal<EndpointForm>(EMPTY_FORM);
  const { busy, problem, run } = useAttempt();
  const isTried = useSignal(false);
  // The same wish keeps its key, so that a second click, or one after a lost answer, makes no second endpoint.
  const key = useRef({ body: "", key: "" });

  const set = (change: Partial<EndpointForm>) => (form.value = { ...form.value, ...change });
  const faults = isTried.value ? faultsOf(form.value) : {};
  const error = (field: keyof EndpointForm) => {
    const fault = faults[field];
    return fault ? t(fault) : null;
  };

  const create = async () => {
    const wish = wishOf(form.value);
    const body = JSON.stringify(wish);
    if (key.current.body !== body) key.current = { body, key: newKey() };
    const made = await api.endpoints.create(wish, key.current.key);
    told(made);
    toast(t("made", { name: made.name }));
    onClose();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    isTried.value = true;
    if (Object.keys(faultsOf(form.value)).length === 0) void run(create);
  };

  const { container, least, most } = form.value;
  return (
    <Dialog title={t("create")} onClose={onClose}>
      <form class="stack" noValidate onSubmit={submit}>
        <Field
          label={t("name")}
          value={form.value.name}
          hint={t("nameHint")}
          error={error("name")}
          autocomplete="off"
          maxLength={63}
          autofocus
          onChange={(name) => set({ name })}
        />
        <Radios
          label={t("paintsWith")}
          value={container}
          options={CONTAINERS.map((value) => ({ value, label: t(value) }))}
          onChange={(value) => set({ container: value as Container })}
        />
        <p class="hint">{t(HINTS[container])}</p>
        {container === "own" && (
          <Field label={t("image")} value={form.value.image} error={error("image")} onChange={(image) => set({ image })} />
        )}
        <Field
          label={t("instanceType")}
          value={form.value.instanceType}
          hint={t("instanceTypeHint")}
          error={error("instanceType")}
          placeholder={t("ofTheStage")}
          autocomplete="off"
          onChange={(instanceType) => set({ instanceType })}
        />
        <Bounds least={least} most={most} onChange={(next, above) => set({ least: next, most: above })} />
        <Slider
          label={t("atOnce")}
          value={form.value.atOnce}
          min={1}
          max={16}
          hint={t("atOnceHint")}
          onChange={(value) => set({ atOnce: Math.round(value) })}
        />
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <DialogButtons onCancel={onClose}>
          <Button type="submit" kind="primary" busy={busy.value}>
            {t("create")}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
