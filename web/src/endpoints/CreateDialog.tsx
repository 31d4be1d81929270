/** The form of a new endpoint. */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { api, explain, newKey } from "../api";
import { Button, Dialog, Field, Notice, Radios, Slider, toast } from "../ui";
import { told } from "./store";
import { t } from "./texts";
import { EMPTY_FORM, faultsOf, wishOf, type Container, type EndpointForm } from "./wish";

const CONTAINERS: readonly Container[] = ["stage", "diffusers", "preview", "own"];
const HINTS = { stage: "stageHint", diffusers: "diffusersHint", preview: "previewHint", own: "ownHint" } as const;

export function CreateDialog({ onClose }: { onClose: () => void }) {
  const form = useSignal<EndpointForm>(EMPTY_FORM);
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const isTried = useSignal(false);
  // The same wish keeps its key, so that a second click, or one after a lost answer, makes no second endpoint.
  const key = useRef({ body: "", key: "" });

  const set = (change: Partial<EndpointForm>) => (form.value = { ...form.value, ...change });
  const faults = isTried.value ? faultsOf(form.value) : {};
  const error = (field: keyof EndpointForm) => {
    const fault = faults[field];
    return fault ? t(fault) : null;
  };

  const create = async (event: Event) => {
    event.preventDefault();
    isTried.value = true;
    if (Object.keys(faultsOf(form.value)).length || isBusy.value) return;
    const wish = wishOf(form.value);
    const body = JSON.stringify(wish);
    if (key.current.body !== body) key.current = { body, key: newKey() };
    isBusy.value = true;
    problem.value = null;
    try {
      const made = await api.endpoints.create(wish, key.current.key);
      told(made);
      toast(t("made", { name: made.name }));
      onClose();
    } catch (fault) {
      problem.value = explain(fault);
    } finally {
      isBusy.value = false;
    }
  };

  const { container, least, most } = form.value;
  return (
    <Dialog title={t("create")} onClose={onClose}>
      <form class="stack" noValidate onSubmit={(event) => void create(event)}>
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
        <Slider label={t("least")} value={least} min={0} max={10} onChange={(value) => set({ least: Math.round(value), most: Math.max(most, Math.round(value)) })} />
        {least > 0 && <Notice kind="warning">{t("neverSleeps", { n: least })}</Notice>}
        <Slider label={t("most")} value={most} min={1} max={20} onChange={(value) => set({ most: Math.round(value), least: Math.min(least, Math.round(value)) })} />
        <Slider label={t("atOnce")} value={form.value.atOnce} min={1} max={16} hint={t("atOnceHint")} onChange={(value) => set({ atOnce: Math.round(value) })} />
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <div class="endpoints-buttons">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" kind="primary" busy={isBusy.value}>
            {t("create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
