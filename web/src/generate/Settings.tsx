/** The settings of a generation, in the order of the WebUI. */
import type { ComponentChildren } from "preact";
import { Accordion, Button, Checkbox, Chip, Field, Tabs, toast } from "../ui";
import { hiresSize, sizeOf } from "./body";
import { boardNow } from "./boards";
import { accepted, sidesOf } from "./fields";
import { reset, setValues, valuesOf, type State } from "./forms";
import { NumberInput, Switch, TextChoice } from "./inputs";
import { label } from "./labelTexts";
import { PromptBox } from "./PromptBox";
import { lastSeeds } from "./results";
import { files, ofKind, upscalers } from "./shelf";
import { SAME_CHECKPOINT, SAME_SAMPLER, SAME_SCHEDULER, SAMPLERS, SCHEDULERS } from "./tables";
import { t } from "./texts";

interface Part {
  state: State;
}

export function Sampling({ state }: Part) {
  return (
    <div class="thirds">
      <TextChoice state={state} name="sampler_name" options={SAMPLERS} />
      <TextChoice state={state} name="scheduler" options={SCHEDULERS} />
      <NumberInput state={state} name="steps" />
    </div>
  );
}

function checkpoints(): string[] {
  return ofKind(files.value, "stable-diffusion").map((file) => file.name);
}

export function Hires({ state }: Part) {
  const { enable_hr } = state.fields;
  const values = valuesOf(state);
  const before = `${values.width}x${values.height}`;
  const size = hiresSize(values);
  const bySize = values.hr_resize_x > 0 || values.hr_resize_y > 0;
  const same = (name: string, text: string) => ({ value: name, label: text });
  return (
    <Accordion
      label={label("enable_hr")}
      checked={enable_hr.value}
      onCheck={(checked) => (enable_hr.value = checked)}
      note={enable_hr.value ? t("hiresSize", { before, after: `${size.width}x${size.height}` }) : ""}
    >
      <div class="halves">
        <TextChoice state={state} name="hr_upscaler" options={upscalers(files.value, true)} />
        <NumberInput state={state} name="hr_second_pass_steps" />
        <NumberInput state={state} name="denoising_strength" />
        <NumberInput state={state} name="hr_scale" disabled={bySize} />
        <NumberInput state={state} name="hr_resize_x" />
        <NumberInput state={state} name="hr_resize_y" />
        <TextChoice
          state={state}
          name="hr_checkpoint_name"
          class="whole-row"
          options={[same(SAME_CHECKPOINT, t("sameCheckpoint")), ...checkpoints()]}
        />
        <TextChoice
          state={state}
          name="hr_sampler_name"
          options={[same(SAME_SAMPLER, t("sameSampler")), ...SAMPLERS]}
        />
        <TextChoice
          state={state}
          name="hr_scheduler"
          options={[same(SAME_SCHEDULER, t("sameScheduler")), ...SCHEDULERS]}
        />
      </div>
      <PromptBox state={state} name="hr_prompt" />
      <PromptBox state={state} name="hr_negative_prompt" />
    </Accordion>
  );
}

export function Refiner({ state }: Part) {
  const { enable_refiner } = state.fields;
  return (
    <Accordion
      label={label("enable_refiner")}
      checked={enable_refiner.value}
      onCheck={(checked) => (enable_refiner.value = checked)}
    >
      <div class="halves">
        <TextChoice
          state={state}
          name="refiner_checkpoint"
          options={[{ value: "", label: t("none") }, ...checkpoints()]}
        />
        <NumberInput state={state} name="refiner_switch_at" />
      </div>
    </Accordion>
  );
}

/** Width and height with their swap, and the batch beside them. `beside` is another button under the swap. */
export function Size({ state, beside }: Part & { beside?: ComponentChildren }) {
  const { width, height } = state.fields;
  return (
    <div class="size">
      <div class="stack">
        <NumberInput state={state} name="width" />
        <NumberInput state={state} name="height" />
      </div>
      <div class="size-tools">
        <Button
          icon="swap"
          label={t("swap")}
          onClick={() => setValues(state, { width: height.value, height: width.value })}
        />
        {beside}
      </div>
      <Batch state={state} />
    </div>
  );
}

function Batch({ state }: Part) {
  return (
    <div class="stack">
      <NumberInput state={state} name="n_iter" />
      <NumberInput state={state} name="batch_size" />
    </div>
  );
}

/** The size in img2img: set, or the picture's times a factor. */
export function ResizeTo({ state }: Part) {
  const { resize_by } = state.fields;
  const picture = boardNow().size.value;
  const detect = () => picture && setValues(state, sidesOf(picture));
  const target = sizeOf(valuesOf(state), picture);
  return (
    <Tabs
      label={t("resize")}
      tabs={[
        { id: "to", label: t("resizeTo") },
        { id: "by", label: t("resizeBy") },
      ]}
      chosen={resize_by.value ? "by" : "to"}
      onChoose={(id) => (resize_by.value = id === "by")}
    >
      {resize_by.value ? (
        <div class="size">
          <div class="stack">
            <NumberInput state={state} name="scale_by" />
            <p class="hint">
              {picture
                ? t("scaledSize", {
                    before: `${picture.width}x${picture.height}`,
                    after: `${target.width}x${target.height}`,
                  })
                : t("noPicture")}
            </p>
          </div>
          <div class="size-tools" />
          <Batch state={state} />
        </div>
      ) : (
        <Size
          state={state}
          beside={<Button icon="fit" label={t("detectSize")} disabled={!picture} onClick={detect} />}
        />
      )}
    </Tabs>
  );
}

function SeedField({ state, name, last }: Part & { name: "seed" | "subseed"; last: number | null }) {
  const field = state.fields[name];
  const write = (text: string) => {
    const value = accepted(name, text.trim() === "" ? -1 : Number(text));
    if (typeof value === "number") field.value = value;
  };
  return (
    <div class="seed">
      <Field label={label(name)} type="number" step={1} min={-1} value={String(field.value)} onChange={write} />
      <Button icon="dice" label={t(`random_${name}`)} onClick={() => (field.value = -1)} />
      <Button
        icon="recycle"
        label={t(`again_${name}`)}
        disabled={last === null}
        onClick={() => last !== null && (field.value = last)}
      />
    </div>
  );
}

export function Seed({ state }: Part) {
  const { seed_extra } = state.fields;
  const last = lastSeeds(state.tab);
  return (
    <div class="stack">
      <div class="seed-line">
        <SeedField state={state} name="seed" last={last.seed} />
        <Checkbox label={label("seed_extra")} checked={seed_extra.value} onChange={(on) => (seed_extra.value = on)} />
      </div>
      {seed_extra.value && (
        <div class="stack panel">
          <SeedField state={state} name="subseed" last={last.subseed} />
          <NumberInput state={state} name="subseed_strength" />
          <div class="halves">
            <NumberInput state={state} name="seed_resize_from_w" />
            <NumberInput state={state} name="seed_resize_from_h" />
          </div>
        </div>
      )}
    </div>
  );
}

/** What the WebUI has among its settings, and settings that were read from a picture. */
export function MoreOptions({ state }: Part) {
  const overrides = Object.entries(state.overrides.value);
  const remove = (name: string) => {
    state.overrides.value = Object.fromEntries(overrides.filter(([each]) => each !== name));
  };
  return (
    <Accordion label={t("moreOptions")} note={overrides.length > 0 ? t("overrideCount", { n: overrides.length }) : ""}>
      <NumberInput state={state} name="CLIP_stop_at_last_layers" />
      <div class="row">
        <Switch state={state} name="tiling" />
        <Switch state={state} name="restore_faces" />
      </div>
      <Button icon="undo" onClick={() => resetWithUndo(state)}>
        {t("resetForm")}
      </Button>
      {overrides.length > 0 && (
        <div class="stack">
          <p class="hint">{t("overrides")}</p>
          <div class="chips">
            {overrides.map(([name, value]) => (
              <Chip key={name} onRemove={() => remove(name)}>
                {`${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`}
              </Chip>
            ))}
          </div>
        </div>
      )}
    </Accordion>
  );
}

function resetWithUndo(state: State): void {
  const before = {
    values: Object.entries(state.fields).map(([name, field]) => [name, field.value] as const),
    overrides: state.overrides.value,
    styles: state.styles.value,
    units: state.units.map((unit) => unit.value),
  };
  reset(state);
  const undo = () => {
    setValues(state, Object.fromEntries(before.values));
    state.overrides.value = before.overrides;
    state.styles.value = before.styles;
    state.units.forEach((unit, index) => (unit.value = before.units[index] ?? unit.value));
  };
  toast(t("formReset"), { action: { label: t("undo"), run: undo } });
}
