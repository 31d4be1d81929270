/** From a form to the body of `POST /jobs`. Every field of the form is sent: the API's defaults are not the page's. */
import type { JobWish } from "../api";
import { namesOf, type Name, type Tab, type Values } from "./fields";
import { withStyles, type Style } from "./styles";
import { scriptOf, type Unit } from "./units";

/** A form of txt2img or img2img, as the person sees it. */
export interface Form {
  values: Values;
  /** settings of the WebUI that no field shows, as read from a picture: name and value */
  overrides: Readonly<Record<string, unknown>>;
  /** names of the styles that are added when the job is sent */
  styles: readonly string[];
  units: readonly Unit[];
}

/** What is chosen for the cloud. `vae` is a file, `Automatic` or `None`; `endpoint` empty: Darkroom chooses. */
export interface Cloud {
  checkpoint: string;
  vae: string;
  endpoint: string;
}

export type Mode = NonNullable<JobWish["mode"]>;

/** The pictures of a job by name. */
export type Pictures = Readonly<Record<string, Blob>>;

export interface Surroundings {
  styles: readonly Style[];
  /** which units of ControlNet have a picture of their own */
  unitPictures: readonly boolean[];
  /** the size of the picture that is repainted, for *Resize by* */
  start: { width: number; height: number } | null;
}

const STEP = 8;

/** The wish of a generation; its pictures are added as `images` once they are uploaded. */
export function generationOf(
  tab: "txt2img" | "img2img",
  form: Form,
  cloud: Cloud,
  around: Surroundings,
  mode: Mode | null,
): JobWish {
  const parameters = {
    ...bodyFields(tab, form, around),
    override_settings: { ...form.overrides, ...picked(form.values, namesOf(tab, "setting")) },
    alwayson_scripts: scriptOf(form.units, around.unitPictures),
  };
  return {
    type: tab,
    ...(mode ? { mode } : {}),
    checkpoint: cloud.checkpoint,
    models: { vae: cloud.vae },
    ...(cloud.endpoint ? { endpoint: cloud.endpoint } : {}),
    parameters,
  };
}

/** The wish of an extras job. */
export function extrasOf(values: Values, endpoint: string): JobWish {
  return { type: "extras", ...(endpoint ? { endpoint } : {}), parameters: picked(values, namesOf("extras", "body")) };
}

function picked(values: Values, names: readonly Name[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

function bodyFields(tab: Tab, form: Form, around: Surroundings): Record<string, unknown> {
  const { values } = form;
  const fields = { ...picked(values, namesOf(tab, "body")), ...sizeOf(values, around.start) };
  const first = withStyles(values, form.styles, around.styles);
  return {
    ...fields,
    prompt: first.prompt,
    negative_prompt: first.negative_prompt,
    ...(tab === "txt2img" ? secondPass(form, around.styles) : {}),
    ...(values.seed_extra ? {} : NO_VARIATION),
    ...(values.enable_refiner && values.refiner_checkpoint ? {} : NO_REFINER),
  };
}

/** What the WebUI's page sends while *Extra* is off. */
const NO_VARIATION = { subseed: -1, subseed_strength: 0, seed_resize_from_w: 0, seed_resize_from_h: 0 };
const NO_REFINER = { refiner_checkpoint: null, refiner_switch_at: null };

/** An empty prompt of the second pass is that of the first, which has its styles already. */
function secondPass(form: Form, known: readonly Style[]): Record<string, unknown> {
  const { hr_prompt, hr_negative_prompt } = form.values;
  const styled = withStyles({ prompt: hr_prompt, negative_prompt: hr_negative_prompt }, form.styles, known);
  return {
    hr_prompt: hr_prompt && styled.prompt,
    hr_negative_prompt: hr_negative_prompt && styled.negative_prompt,
  };
}

/** The size of what is painted: as it is set, or the picture's times a factor. */
export function sizeOf(
  values: Values,
  start: { width: number; height: number } | null,
): { width: number; height: number } {
  if (!values.resize_by || !start) return { width: values.width, height: values.height };
  const side = (pixels: number): number => Math.floor(Math.trunc(pixels * values.scale_by) / STEP) * STEP;
  return { width: side(start.width), height: side(start.height) };
}

/** The size after the second pass, as the API counts it. */
export function hiresSize(values: Values): { width: number; height: number } {
  const { width, height, hr_scale, hr_resize_x: x, hr_resize_y: y } = values;
  if (!x && !y) return { width: Math.trunc(width * hr_scale), height: Math.trunc(height * hr_scale) };
  return { width: x || Math.floor((y * width) / height), height: y || Math.floor((x * height) / width) };
}
