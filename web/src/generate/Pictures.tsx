/** The pictures of img2img: its sub-tabs, each with its canvas, and *Copy image to*. */
import { signal, useSignalEffect } from "@preact/signals";
import { PictureCanvas } from "../canvas";
import { PictureField } from "../pictures";
import { Button, Radios, Tabs } from "../ui";
import { boardOf, CANVAS, copyTo } from "./boards";
import { mode, MODES, type PictureMode, type State } from "./forms";
import { NumberChoice, NumberInput } from "./inputs";
import { label } from "./labelTexts";
import { t } from "./texts";

/** The file of *Inpaint upload*; the canvas takes it as its mask. */
const uploadedMask = signal<Blob | null>(null);

export function Pictures() {
  return (
    <Tabs
      label={t("pictures")}
      tabs={MODES.map((id) => ({ id, label: t(`mode_${id}`) }))}
      chosen={mode.value}
      onChoose={(id) => (mode.value = id as PictureMode)}
      shows={(id) => (id === mode.value ? <Sheet of={id as PictureMode} /> : null)}
    />
  );
}

function Sheet({ of }: { of: PictureMode }) {
  const board = boardOf(of);
  useSignalEffect(() => {
    const mask = uploadedMask.value;
    if (of === "inpaint_upload" && mask && board.size.value) void board.loadMask(mask);
  });
  return (
    <div class="stack">
      <PictureCanvas board={board} mode={CANVAS[of].canvas} label={t(`mode_${of}`)} />
      {of === "inpaint_upload" ? (
        <PictureField label={t("mask")} value={uploadedMask} />
      ) : (
        <CopyTo from={of} hasPicture={board.size.value !== null} />
      )}
    </div>
  );
}

function CopyTo({ from, hasPicture }: { from: PictureMode; hasPicture: boolean }) {
  return (
    <div class="copy-to" role="group" aria-label={t("copyTo")}>
      <span class="muted">{t("copyTo")}</span>
      {MODES.filter((each) => each !== "inpaint_upload").map((to) => (
        <Button key={to} disabled={to === from || !hasPicture} onClick={() => copyTo(to)}>
          {t(`mode_${to}`)}
        </Button>
      ))}
    </div>
  );
}

export function ResizeMode({ state }: { state: State }) {
  const labels = [t("resizeStretch"), t("resizeCrop"), t("resizeFill"), t("resizeLatent")];
  return <NumberChoice state={state} name="resize_mode" labels={labels} />;
}

/** What counts with a mask alone. */
export function Inpainting({ state }: { state: State }) {
  if (!CANVAS[mode.value].masked) return null;
  const { inpaint_full_res } = state.fields;
  return (
    <div class="stack">
      <NumberInput state={state} name="mask_blur" />
      <NumberChoice state={state} name="inpainting_mask_invert" labels={[t("masked"), t("notMasked")]} />
      <NumberChoice
        state={state}
        name="inpainting_fill"
        labels={[t("fill"), t("original"), t("latentNoise"), t("latentNothing")]}
      />
      <Radios
        label={label("inpaint_full_res")}
        value={String(inpaint_full_res.value)}
        options={[
          { value: "false", label: t("wholePicture") },
          { value: "true", label: t("onlyMasked") },
        ]}
        onChange={(value) => (inpaint_full_res.value = value === "true")}
      />
      <NumberInput state={state} name="inpaint_full_res_padding" />
    </div>
  );
}
