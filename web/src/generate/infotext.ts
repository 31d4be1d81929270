/**
 * The text under a picture, read into a form: the prompt, a line that begins with `Negative prompt:`, and last a line
 * of `Label: value` pairs, where a value with a comma or a colon is a JSON string.
 */
import { MAX_SEED, withValues, type Tab, type Values } from "./fields";
import {
  FIELD_LABELS,
  SAME_CHECKPOINT,
  SAME_SAMPLER,
  SAME_SCHEDULER,
  samplerNamed,
  schedulerNamed,
  SETTING_LABELS,
  type LabelType,
} from "./tables";

/** A label has an end, or a long text without a colon would take the square of its length. */
const PAIR = /([\p{L}\p{N}_][\p{L}\p{N}_ \-/]{1,100}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;
const SIZE = /^(\d{1,9})x(\d{1,9})$/;
const NEGATIVE = "Negative prompt:";
/** A last line with fewer pairs is part of the prompt. */
const LEAST_PAIRS = 3;

export interface Infotext {
  prompt: string;
  negative: string;
  /** by label, in the order of the text */
  pairs: ReadonlyMap<string, string>;
}

/** Takes a text apart. */
export function parsed(text: string): Infotext {
  const lines = text.trim().split("\n");
  const found = [...(lines.at(-1) ?? "").matchAll(PAIR)];
  const isPairs = found.length >= LEAST_PAIRS;
  if (isPairs) lines.pop();
  const said: { prompt: string[]; negative: string[] } = { prompt: [], negative: [] };
  let current = said.prompt;
  for (const line of lines.map((each) => each.trim())) {
    const begins = line.startsWith(NEGATIVE);
    if (begins) current = said.negative;
    current.push(begins ? line.slice(NEGATIVE.length).trim() : line);
  }
  return {
    prompt: said.prompt.join("\n").trim(),
    negative: said.negative.join("\n").trim(),
    pairs: new Map(isPairs ? found.map(([, label = "", value = ""]) => [label, unquoted(value.trim())]) : []),
  };
}

/** Whether a text has the line of pairs, so that it is an infotext and no mere prompt. */
export function isInfotext(text: string): boolean {
  return parsed(text).pairs.size > 0;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    const read: unknown = JSON.parse(value);
    return typeof read === "string" ? read : value;
  } catch {
    return value;
  }
}

function typed(value: string, type: LabelType): string | number | boolean | null {
  if (type === "text") return value;
  if (type === "truth") return !["", "false", "0", "none"].includes(value.trim().toLowerCase());
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim())) return null;
  const number = Number(value);
  return type === "whole" ? Math.trunc(number) : number;
}

/** What an infotext says, by the names of the API: fields of the body, and settings of the WebUI. */
export interface Said {
  fields: Record<string, unknown>;
  settings: Record<string, unknown>;
}

/** The same as `darkroom.webui.infotext.read`, with which a test compares it. */
export function read(text: string): Said {
  const { prompt, negative, pairs } = parsed(text);
  const fields: Record<string, unknown> = { prompt, negative_prompt: negative };
  const settings: Record<string, unknown> = {};
  const net = pairs.get("Hypernet");
  if (net) fields["prompt"] = `${prompt}<hypernet:${net}:${pairs.get("Hypernet strength") ?? "1.0"}>`;
  const modules = listed(pairs, /^Module \d+$/);
  if (modules.length > 0) settings["forge_additional_modules"] = modules;
  const second = listed(pairs, /^Hires Module \d+$/);
  if (second.length > 0) fields["hr_additional_modules"] = second;
  for (const [label, value] of pairs) {
    const sides = SIZES[label];
    const size = SIZE.exec(value);
    if (sides && size) [fields[sides[0]], fields[sides[1]]] = [Number(size[1]), Number(size[2])];
    put(fields, FIELD_LABELS[label], value);
    put(settings, SETTING_LABELS[label], value);
  }
  return { fields: { ...fields, ...maskFields(pairs) }, settings };
}

function put(into: Record<string, unknown>, label: readonly [string, LabelType] | undefined, value: string): void {
  const found = label ? typed(value, label[1]) : null;
  if (label && found !== null) into[label[0]] = found;
}

function listed(pairs: ReadonlyMap<string, string>, pattern: RegExp): string[] {
  return [...pairs].flatMap(([label, value]) => (pattern.test(label) ? [value] : []));
}

const SIZES: Readonly<Record<string, readonly [string, string]>> = {
  Size: ["width", "height"],
  "Hires resize": ["hr_resize_x", "hr_resize_y"],
  "Seed resize from": ["seed_resize_from_w", "seed_resize_from_h"],
};

const CONTENTS = ["fill", "original", "latent noise", "latent nothing"];
/** The fields of a mask, and what the WebUI's form shows for a label that is not there. */
const MASK: Readonly<Record<string, readonly [name: string, read: (value: string) => unknown, usual: unknown]>> = {
  "Mask blur": ["mask_blur", (value) => typed(value, "whole"), 0],
  "Mask mode": ["inpainting_mask_invert", (value) => Number(value === "Inpaint not masked"), 0],
  "Masked content": ["inpainting_fill", (value) => (CONTENTS.includes(value) ? CONTENTS.indexOf(value) : null), 1],
  "Inpaint area": ["inpaint_full_res", (value) => value === "Only masked", false],
  "Masked area padding": ["inpaint_full_res_padding", (value) => typed(value, "whole"), 32],
};

/** The fields of the mask; empty for a picture that was painted without one. */
function maskFields(pairs: ReadonlyMap<string, string>): Record<string, unknown> {
  const labels = Object.entries(MASK);
  if (!labels.some(([label]) => pairs.has(label))) return {};
  const fields: Record<string, unknown> = {};
  for (const [label, [name, reads, usual]] of labels) {
    const value = pairs.get(label);
    const found = value === undefined ? usual : reads(value);
    if (found !== null) fields[name] = found;
  }
  return fields;
}

/** What a text changes in a form. `checkpoint` and `vae` are as it names them, null where it says nothing. */
export interface Filling {
  values: Values;
  overrides: Record<string, unknown>;
  checkpoint: string | null;
  vae: string | null;
}

/** Settings that a field of the form or the section of the cloud shows. */
const SHOWN = new Set(["CLIP_stop_at_last_layers", "sd_vae", "sd_model_checkpoint"]);

/**
 * A form filled from a text, as the WebUI's arrow button does: what the text leaves out stays as it is, but for fields
 * whose silence has a meaning (no hires fix, no variation, no clip skip, no refiner).
 */
export function filled(text: string, tab: Tab, before: Values, options: { seed: boolean }): Filling {
  const { pairs } = parsed(text);
  const said = read(text);
  const given = { ...(pairs.size > 0 ? silent(tab) : {}), ...meant(said, tab), ...clipSkip(said.settings) };
  if (!options.seed) delete given["seed"];
  const values = withValues(before, safe(given));
  return {
    values: { ...values, ...switchesOf(values) },
    overrides: overridesIn(said.settings),
    checkpoint: modelOf(pairs, said.settings),
    vae: typeof said.settings["sd_vae"] === "string" ? said.settings["sd_vae"] : null,
  };
}

/** What an infotext means by saying nothing. */
function silent(tab: Tab): Record<string, unknown> {
  const second = {
    enable_hr: false,
    hr_resize_x: 0,
    hr_resize_y: 0,
    hr_checkpoint_name: SAME_CHECKPOINT,
    hr_sampler_name: SAME_SAMPLER,
    hr_scheduler: SAME_SCHEDULER,
    hr_prompt: "",
    hr_negative_prompt: "",
  };
  const mask = { inpainting_mask_invert: 0, inpainting_fill: 1, inpaint_full_res: false, inpaint_full_res_padding: 32 };
  return {
    scheduler: "Automatic",
    CLIP_stop_at_last_layers: 1,
    subseed: -1,
    subseed_strength: 0,
    seed_resize_from_w: 0,
    seed_resize_from_h: 0,
    refiner_checkpoint: "",
    tiling: false,
    restore_faces: false,
    ...(tab === "txt2img" ? second : mask),
  };
}

/** The fields by the names that the form shows: old sampler names taken apart, hires fix switched on. */
function meant(said: Said, tab: Tab): Record<string, unknown> {
  const fields = meantBy(said.fields);
  if (fields["prompt"] === "") delete fields["prompt"];
  const hires = ["hr_scale", "hr_upscaler", "hr_resize_x"].some((name) => name in fields);
  return tab === "txt2img" && hires ? { ...fields, enable_hr: true } : fields;
}

/** The fields of a body with samplers and schedules by the names that the lists offer. */
export function meantBy(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = { ...body };
  named(fields, "sampler_name", "scheduler");
  named(fields, "hr_sampler_name", "hr_scheduler");
  return fields;
}

function named(fields: Record<string, unknown>, sampler: string, scheduler: string): void {
  const found = samplerNamed(String(fields[sampler] ?? ""));
  if (found) {
    fields[sampler] = found.sampler;
    if (found.scheduler && !(scheduler in fields)) fields[scheduler] = found.scheduler;
  }
  const schedule = schedulerNamed(String(fields[scheduler] ?? ""));
  if (schedule) fields[scheduler] = schedule;
}

/** The settings that go along with a job because no field of the form shows them. */
export function overridesIn(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !SHOWN.has(name)));
}

/** The one setting that is a field of the form. */
export function clipSkip(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const name = "CLIP_stop_at_last_layers";
  return name in settings ? { [name]: settings[name] } : {};
}

/** Without seeds that JavaScript's numbers cannot hold: another seed would be another picture. */
function safe(given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => !name.endsWith("seed") || Number(value) <= MAX_SEED),
  );
}

/** The switches of the page that no text and no body names: they are on where what they switch does something. */
export function switchesOf(values: Values): Pick<Values, "seed_extra" | "enable_refiner"> {
  const { subseed_strength, seed_resize_from_w, seed_resize_from_h, refiner_checkpoint } = values;
  const isVaried = subseed_strength > 0 || (seed_resize_from_w > 0 && seed_resize_from_h > 0);
  return { seed_extra: isVaried, enable_refiner: refiner_checkpoint !== "" };
}

/** The checkpoint as the shelf may know it: by its name with its hash behind, or by one of them. */
function modelOf(pairs: ReadonlyMap<string, string>, settings: Readonly<Record<string, unknown>>): string | null {
  const name = pairs.get("Model");
  const hash = settings["sd_model_checkpoint"];
  if (name) return typeof hash === "string" ? `${name} [${hash}]` : name;
  return typeof hash === "string" ? hash : null;
}
