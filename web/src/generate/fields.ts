/**
 * The fields of the forms: one table. A key is the field's name in the body of the WebUI's API; `usual` is the default
 * of the WebUI's page, which differs from that of its API, so every field is sent. Bounds and steps are the page's.
 */
import { LATENT_UPSCALERS, SAME_CHECKPOINT, SAME_SAMPLER, SAME_SCHEDULER } from "./tables";

export type Tab = "txt2img" | "img2img" | "extras";

/** Where a value goes: into the body under its own name, into `override_settings`, or nowhere as it is. */
export type Place = "body" | "setting" | "page";

interface Common {
  tabs: readonly Tab[];
  place: Place;
}
export interface TextField extends Common {
  kind: "text";
  usual: string;
}
export interface NumberField extends Common {
  kind: "whole" | "real";
  usual: number;
  min: number;
  max: number;
  step: number;
}
export interface SwitchField extends Common {
  kind: "truth";
  usual: boolean;
}
export type Field = TextField | NumberField | SwitchField;

const GENERATING = ["txt2img", "img2img"] as const;
const TXT2IMG = ["txt2img"] as const;
const IMG2IMG = ["img2img"] as const;
const EXTRAS = ["extras"] as const;

function text(tabs: readonly Tab[], usual = "", place: Place = "body"): TextField {
  return { kind: "text", tabs, usual, place };
}
function whole(
  tabs: readonly Tab[],
  usual: number,
  min: number,
  max: number,
  step = 1,
  place: Place = "body",
): NumberField {
  return { kind: "whole", tabs, usual, min, max, step, place };
}
function real(
  tabs: readonly Tab[],
  usual: number,
  min: number,
  max: number,
  step: number,
  place: Place = "body",
): NumberField {
  return { kind: "real", tabs, usual, min, max, step, place };
}
function truth(tabs: readonly Tab[], usual = false, place: Place = "body"): SwitchField {
  return { kind: "truth", tabs, usual, place };
}

/** The largest seed that the page writes: JavaScript's numbers are exact up to here. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

export const FIELDS = {
  prompt: text(GENERATING),
  negative_prompt: text(GENERATING),
  sampler_name: text(GENERATING, "DPM++ 2M"),
  scheduler: text(GENERATING, "Automatic"),
  steps: whole(GENERATING, 20, 1, 150),
  width: whole(GENERATING, 512, 64, 2048, 8),
  height: whole(GENERATING, 512, 64, 2048, 8),
  n_iter: whole(GENERATING, 1, 1, 100),
  batch_size: whole(GENERATING, 1, 1, 8),
  cfg_scale: real(GENERATING, 7, 1, 30, 0.5),
  seed: whole(GENERATING, -1, -1, MAX_SEED),
  subseed: whole(GENERATING, -1, -1, MAX_SEED),
  subseed_strength: real(GENERATING, 0, 0, 1, 0.01),
  seed_resize_from_w: whole(GENERATING, 0, 0, 2048, 8),
  seed_resize_from_h: whole(GENERATING, 0, 0, 2048, 8),
  restore_faces: truth(GENERATING),
  tiling: truth(GENERATING),
  refiner_checkpoint: text(GENERATING),
  refiner_switch_at: real(GENERATING, 0.8, 0.01, 1, 0.01),
  CLIP_stop_at_last_layers: whole(GENERATING, 1, 1, 12, 1, "setting"),
  denoising_strength: real(GENERATING, 0.75, 0, 1, 0.01),

  enable_hr: truth(TXT2IMG),
  hr_upscaler: text(TXT2IMG, LATENT_UPSCALERS[0]),
  hr_second_pass_steps: whole(TXT2IMG, 0, 0, 150),
  hr_scale: real(TXT2IMG, 2, 1, 4, 0.05),
  hr_resize_x: whole(TXT2IMG, 0, 0, 2048, 8),
  hr_resize_y: whole(TXT2IMG, 0, 0, 2048, 8),
  hr_checkpoint_name: text(TXT2IMG, SAME_CHECKPOINT),
  hr_sampler_name: text(TXT2IMG, SAME_SAMPLER),
  hr_scheduler: text(TXT2IMG, SAME_SCHEDULER),
  hr_prompt: text(TXT2IMG),
  hr_negative_prompt: text(TXT2IMG),

  /** 0 stretch, 1 crop, 2 fill, 3 stretch the latents; of extras 0 by a factor, 1 to a size */
  resize_mode: whole(["img2img", "extras"], 0, 0, 3),
  mask_blur: whole(IMG2IMG, 4, 0, 64),
  /** 0 paints what is masked, 1 what is not */
  inpainting_mask_invert: whole(IMG2IMG, 0, 0, 1),
  /** 0 fill, 1 original, 2 latent noise, 3 latent nothing */
  inpainting_fill: whole(IMG2IMG, 1, 0, 3),
  /** false: the whole picture */
  inpaint_full_res: truth(IMG2IMG),
  inpaint_full_res_padding: whole(IMG2IMG, 32, 0, 256, 4),

  upscaling_resize: real(EXTRAS, 4, 1, 8, 0.05),
  upscaling_resize_w: whole(EXTRAS, 512, 64, 8192, 8),
  upscaling_resize_h: whole(EXTRAS, 512, 64, 8192, 8),
  upscaling_crop: truth(EXTRAS, true),
  upscaler_1: text(EXTRAS, "None"),
  upscaler_2: text(EXTRAS, "None"),
  extras_upscaler_2_visibility: real(EXTRAS, 0, 0, 1, 0.001),
  upscale_first: truth(EXTRAS),
  gfpgan_visibility: real(EXTRAS, 0, 0, 1, 0.001),
  codeformer_visibility: real(EXTRAS, 0, 0, 1, 0.001),
  codeformer_weight: real(EXTRAS, 0, 0, 1, 0.001),

  /** *Extra* beside the seed: without it nothing is varied. */
  seed_extra: truth(GENERATING, false, "page"),
  enable_refiner: truth(GENERATING, false, "page"),
  /** *Resize by*: the size is the picture's, times a factor. */
  resize_by: truth(IMG2IMG, false, "page"),
  scale_by: real(IMG2IMG, 1, 0.05, 4, 0.05, "page"),
} as const satisfies Record<string, Field>;

export type Name = keyof typeof FIELDS;
type Of<F extends Field> = F extends TextField ? string : F extends NumberField ? number : boolean;
/** The values of a form. Every tab has all fields; it shows and sends its own. */
export type Values = { [K in Name]: Of<(typeof FIELDS)[K]> };
export type NamesOf<T> = { [K in Name]: Values[K] extends T ? K : never }[Name];

export const NAMES = Object.keys(FIELDS) as Name[];

/** Where a tab's default differs from the other's. */
const OWN_DEFAULTS: Partial<Record<Tab, Partial<Values>>> = { txt2img: { denoising_strength: 0.7 } };

export function fieldOf(name: Name): Field {
  return FIELDS[name];
}

export function numberField(name: NamesOf<number>): NumberField {
  return FIELDS[name];
}

/** The values of a form that nobody touched. */
export function usualValues(tab: Tab): Values {
  const values = Object.fromEntries(NAMES.map((name) => [name, FIELDS[name].usual])) as unknown as Values;
  return { ...values, ...OWN_DEFAULTS[tab] };
}

/** The fields that a tab has, in the order of the table. */
export function namesOf(tab: Tab, place: Place): Name[] {
  return NAMES.filter((name) => {
    const field = fieldOf(name);
    return field.place === place && field.tabs.includes(tab);
  });
}

/**
 * A value that the field takes: numbers inside their bounds and whole where they must be; null for what is no value of
 * its kind. Steps are not forced: the WebUI takes a CFG scale of 7.3, too.
 */
export function accepted(name: Name, value: unknown): string | number | boolean | null {
  const field = fieldOf(name);
  if (field.kind === "text") return typeof value === "string" ? value : null;
  if (field.kind === "truth") return typeof value === "boolean" ? value : null;
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  const inside = Math.min(field.max, Math.max(field.min, value));
  return field.kind === "whole" ? Math.round(inside) : inside;
}

/** A picture's size as the sliders take it. */
export function sidesOf({ width, height }: { width: number; height: number }): Pick<Values, "width" | "height"> {
  return { width: Number(accepted("width", width)), height: Number(accepted("height", height)) };
}

/** Stored or read values over the usual ones, as far as they fit; unknown names are left out. */
export function withValues(values: Values, given: Readonly<Record<string, unknown>>): Values {
  const found: Record<string, unknown> = {};
  for (const name of NAMES) {
    const value = name in given ? accepted(name, given[name]) : null;
    if (value !== null) found[name] = value;
  }
  return { ...values, ...(found as Partial<Values>) };
}
