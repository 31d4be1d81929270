/** Extras: one picture made larger. */
import { PictureField } from "../pictures";
import { Accordion, Radios } from "../ui";
import { extrasPicture, states } from "./forms";
import { NumberInput, Switch, TextChoice } from "./inputs";
import { files, upscalers } from "./shelf";
import { t } from "./texts";

export function ExtrasForm() {
  const state = states.extras;
  const { resize_mode } = state.fields;
  const names = upscalers(files.value, false);
  return (
    <div class="stack">
      <PictureField label={t("source")} value={extrasPicture} />
      <Radios
        label={t("resize")}
        value={String(resize_mode.value)}
        options={[
          { value: "0", label: t("scaleBy") },
          { value: "1", label: t("scaleTo") },
        ]}
        onChange={(value) => (resize_mode.value = Number(value))}
      />
      {resize_mode.value === 0 ? (
        <NumberInput state={state} name="upscaling_resize" />
      ) : (
        <>
          <div class="halves">
            <NumberInput state={state} name="upscaling_resize_w" />
            <NumberInput state={state} name="upscaling_resize_h" />
          </div>
          <Switch state={state} name="upscaling_crop" />
        </>
      )}
      <div class="halves">
        <TextChoice state={state} name="upscaler_1" options={names} />
        <TextChoice state={state} name="upscaler_2" options={names} />
      </div>
      <NumberInput state={state} name="extras_upscaler_2_visibility" />
      <Accordion label={t("faces")}>
        <NumberInput state={state} name="gfpgan_visibility" />
        <div class="halves">
          <NumberInput state={state} name="codeformer_visibility" />
          <NumberInput state={state} name="codeformer_weight" />
        </div>
        <Switch state={state} name="upscale_first" />
      </Accordion>
    </div>
  );
}
