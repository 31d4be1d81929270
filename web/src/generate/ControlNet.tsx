import { useSignal, type Signal } from "@preact/signals";
import { PictureField } from "../pictures";
import { Accordion, Checkbox, Radios, Select, Slider, Tabs } from "../ui";
import type { State } from "./forms";
import { withValue } from "./inputs";
import { files, ofKind } from "./shelf";
import { PREPROCESSORS } from "./tables";
import { t } from "./texts";
import {
  CONTROL_MODES,
  GUIDANCE,
  RESOLUTION,
  UNIT_RESIZE_MODES,
  WEIGHT,
  type ControlMode,
  type Unit,
  type UnitResizeMode,
} from "./units";

export function ControlNet({ state }: { state: State }) {
  const chosen = useSignal("0");
  const on = state.units.filter((unit) => unit.value.enabled).length;
  return (
    <Accordion label={t("controlNet")} note={on > 0 ? t("unitCount", { n: on }) : ""}>
      <Tabs
        label={t("controlNet")}
        tabs={state.units.map((unit, index) => ({
          id: String(index),
          label: unit.value.enabled ? t("unitOn", { number: String(index) }) : t("unit", { number: String(index) }),
        }))}
        chosen={chosen.value}
        onChoose={(id) => (chosen.value = id)}
        shows={(id) => (
          <UnitForm
            unit={state.units[Number(id)]!}
            picture={state.unitPictures[Number(id)]!}
            isImg2img={state.tab === "img2img"}
          />
        )}
      />
    </Accordion>
  );
}

const MODE_TEXTS = ["controlBalanced", "controlPrompt", "controlNetFirst"] as const;
const RESIZE_TEXTS = ["resizeStretch", "resizeCrop", "resizeFill"] as const;

function UnitForm({
  unit,
  picture,
  isImg2img,
}: {
  unit: Signal<Unit>;
  picture: Signal<Blob | null>;
  isImg2img: boolean;
}) {
  const now = unit.value;
  const set = (change: Partial<Unit>) => (unit.value = { ...unit.value, ...change });
  const models = ofKind(files.value, "controlnet").map((file) => file.name);
  return (
    <div class="stack">
      <PictureField label={t(isImg2img ? "unitPictureOwn" : "unitPicture")} value={picture} />
      <div class="row">
        <Checkbox label={t("unitEnable")} checked={now.enabled} onChange={(enabled) => set({ enabled })} />
        <Checkbox
          label={t("pixelPerfect")}
          checked={now.pixel_perfect}
          onChange={(pixel_perfect) => set({ pixel_perfect })}
        />
      </div>
      <div class="halves">
        <Select
          label={t("preprocessor")}
          value={now.module}
          options={withValue(PREPROCESSORS, now.module)}
          onChange={(module) => set({ module })}
        />
        <Select
          label={t("controlModel")}
          value={now.model}
          options={withValue([{ value: "", label: t(models.length ? "none" : "noControlNets") }, ...models], now.model)}
          onChange={(model) => set({ model })}
        />
      </div>
      <div class="thirds">
        <Slider label={t("controlWeight")} value={now.weight} {...WEIGHT} onChange={(weight) => set({ weight })} />
        <Slider
          label={t("controlStart")}
          value={now.guidance_start}
          {...GUIDANCE}
          onChange={(guidance_start) => set({ guidance_start })}
        />
        <Slider
          label={t("controlEnd")}
          value={now.guidance_end}
          {...GUIDANCE}
          onChange={(guidance_end) => set({ guidance_end })}
        />
      </div>
      {!now.pixel_perfect && now.module !== "none" && (
        <Slider
          label={t("resolution")}
          value={now.processor_res}
          {...RESOLUTION}
          onChange={(processor_res) => set({ processor_res })}
        />
      )}
      <Radios
        label={t("controlMode")}
        value={now.control_mode}
        options={CONTROL_MODES.map((value, index) => ({ value, label: t(MODE_TEXTS[index]!) }))}
        onChange={(value) => set({ control_mode: value as ControlMode })}
      />
      <Radios
        label={t("unitResize")}
        value={now.resize_mode}
        options={UNIT_RESIZE_MODES.map((value, index) => ({ value, label: t(RESIZE_TEXTS[index]!) }))}
        onChange={(value) => set({ resize_mode: value as UnitResizeMode })}
      />
    </div>
  );
}
