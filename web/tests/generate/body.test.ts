import { expect, test } from "vitest";
import { calls } from "../../../bridge/src/darkroom_bridge/webui.json";
import openapi from "../../../docs/openapi.json";
import { extrasOf, generationOf, hiresSize, sizeOf, type Form } from "../../src/generate/body";
import {
  FIELDS,
  namesOf,
  NAMES,
  numberField,
  usualValues,
  type Name,
  type NamesOf,
  type Values,
} from "../../src/generate/fields";
import { LATENT_UPSCALERS, PLAIN_UPSCALERS } from "../../src/generate/tables";
import { usualUnit, usualUnits } from "../../src/generate/units";
import { facts } from "./facts";

const CALLS = calls as Record<string, Record<string, { type: string; default: unknown; forge: boolean }>>;
const CALL_OF = { txt2img: "txt2img", img2img: "img2img", extras: "extra-single-image" } as const;
const NOTHING = { styles: [], unitPictures: [], start: null };
const CLOUD = { checkpoint: "v1-5.safetensors", vae: "Automatic", endpoint: "" };
const known = facts();

/** Fields of the WebUI's API that the page does not send, and why. */
const NOT_SENT: Record<string, string> = {
  sampler_index: "an old name of sampler_name",
  styles: "names in a file of the WebUI's machine: the page adds their texts",
  init_images: "pictures go as `images`",
  mask: "pictures go as `images`",
  latent_mask: "pictures go as `images`",
  image: "pictures go as `images`",
  firstpass_image: "of the WebUI's own hires button",
  mask_blur_x: "mask_blur says both",
  mask_blur_y: "mask_blur says both",
  mask_round: "true in both",
  image_cfg_scale: "of InstructPix2Pix models alone",
  initial_noise_multiplier: "a setting; goes along in override_settings",
  eta: "a setting",
  s_min_uncond: "a setting",
  s_churn: "a setting",
  s_tmax: "a setting",
  s_tmin: "a setting",
  s_noise: "a setting",
  override_settings_restore_afterwards: "a worker's settings are those of the job",
  do_not_save_samples: "of files on the WebUI's machine",
  do_not_save_grid: "of files on the WebUI's machine",
  include_init_images: "of the answer's form",
  send_images: "of the answer's form",
  save_images: "of the answer's form",
  show_extras_results: "of the answer's form",
  comments: "of the WebUI's own scripts",
  disable_extra_networks: "of scripts",
  force_task_id: "of the WebUI's queue",
  firstphase_width: "of WebUIs before 1.0",
  firstphase_height: "of WebUIs before 1.0",
  script_name: "no scripts on the page",
  script_args: "no scripts on the page",
  infotext: "the page reads it itself",
};

function formOf(values: Partial<Values> = {}, tab: "txt2img" | "img2img" = "txt2img"): Form {
  return { values: { ...usualValues(tab), ...values }, overrides: {}, styles: [], units: usualUnits() };
}

function sent(tab: "txt2img" | "img2img" | "extras", values: Partial<Values> = {}): Record<string, unknown> {
  if (tab === "extras") return extrasOf({ ...usualValues(tab), ...values }, "").parameters ?? {};
  return generationOf(tab, formOf(values, tab), CLOUD, NOTHING, null).parameters ?? {};
}

/** Another value than the usual one that the field takes. */
function other(name: Name): string | number | boolean {
  const field = FIELDS[name];
  if (field.kind === "text") return `another ${name}`;
  if (field.kind === "truth") return !field.usual;
  return field.usual === field.max ? field.min : field.max;
}

test.each(["txt2img", "img2img", "extras"] as const)(
  "every field of %s goes into the body under its own name",
  (tab) => {
    const on = { seed_extra: true, enable_refiner: true, refiner_checkpoint: "xl" };
    for (const name of namesOf(tab, "body")) {
      const value = other(name);
      expect(sent(tab, { ...on, [name]: value })[name], name).toEqual(value);
      if (name !== "refiner_checkpoint") expect(sent(tab, on)[name], name).toEqual(usualValues(tab)[name]);
    }
  },
);

test.each(["txt2img", "img2img", "extras"] as const)(
  "%s sends all fields of the WebUI's API, or says why not",
  (tab) => {
    const theirs = Object.entries(CALLS[CALL_OF[tab]] ?? {}).filter(([, field]) => !field.forge);
    const missing = theirs.map(([name]) => name).filter((name) => !(name in sent(tab)) && !(name in NOT_SENT));
    expect(missing).toEqual([]);
    const unknown = Object.keys(sent(tab)).filter((name) => !theirs.some(([their]) => their === name));
    expect(unknown).toEqual([]);
  },
);

test("what is not sent is a field of the API, and of no form", () => {
  for (const name of Object.keys(NOT_SENT)) {
    expect(
      Object.values(CALLS).some((fields) => name in fields),
      name,
    ).toBe(true);
    expect(NAMES as string[]).not.toContain(name);
  }
});

test("the types of the fields are those of the API", () => {
  for (const name of NAMES.filter((each) => FIELDS[each].place === "body")) {
    for (const tab of FIELDS[name].tabs) {
      const type = CALLS[CALL_OF[tab]]?.[name]?.type;
      const kind = FIELDS[name].kind;
      if (name === "inpainting_mask_invert") continue;
      expect(kind, `${name} of ${tab}`).toBe(type);
    }
  }
});

test("no bound of the page is wider than that of the API", () => {
  const schema = openapi.components.schemas.Parameters.properties as Record<
    string,
    { anyOf?: { minimum?: number; maximum?: number; exclusiveMinimum?: number }[] }
  >;
  for (const name of NAMES) {
    const field = FIELDS[name];
    const bounds = schema[name]?.anyOf?.[0];
    if (field.place !== "body" || !("min" in field) || !bounds) continue;
    expect(field.min, name).toBeGreaterThanOrEqual(bounds.minimum ?? bounds.exclusiveMinimum ?? -Infinity);
    expect(field.max, name).toBeLessThanOrEqual(bounds.maximum ?? Infinity);
    expect(field.usual, name).toBeGreaterThanOrEqual(field.min);
    expect(field.usual, name).toBeLessThanOrEqual(field.max);
  }
});

test("the page's defaults stand where the API's would be others", () => {
  expect(sent("txt2img")).toMatchObject({
    sampler_name: "DPM++ 2M",
    scheduler: "Automatic",
    steps: 20,
    denoising_strength: 0.7,
  });
  expect(sent("img2img")).toMatchObject({
    denoising_strength: 0.75,
    inpainting_fill: 1,
    inpaint_full_res: false,
    inpaint_full_res_padding: 32,
    mask_blur: 4,
  });
});

test("the wish names checkpoint, VAE and endpoint beside the parameters", () => {
  const wish = generationOf(
    "img2img",
    formOf({}, "img2img"),
    { ...CLOUD, vae: "None", endpoint: "darkroom-a" },
    NOTHING,
    "inpaint",
  );
  expect(wish).toMatchObject({
    type: "img2img",
    mode: "inpaint",
    checkpoint: "v1-5.safetensors",
    models: { vae: "None" },
    endpoint: "darkroom-a",
  });
  expect(generationOf("txt2img", formOf(), CLOUD, NOTHING, null)).not.toHaveProperty("endpoint");
});

test("settings go into override_settings, with what was read from a picture", () => {
  const form = { ...formOf({ CLIP_stop_at_last_layers: 2 }), overrides: { randn_source: "CPU" } };
  expect(generationOf("txt2img", form, CLOUD, NOTHING, null).parameters).toMatchObject({
    override_settings: { randn_source: "CPU", CLIP_stop_at_last_layers: 2 },
  });
});

test("variation and refiner count only while they are switched on", () => {
  const values = { subseed: 5, subseed_strength: 0.5, seed_resize_from_w: 512, refiner_checkpoint: "xl" };
  expect(sent("txt2img", values)).toMatchObject({
    subseed: -1,
    subseed_strength: 0,
    seed_resize_from_w: 0,
    refiner_checkpoint: null,
    refiner_switch_at: null,
  });
});

test("styles are added to every prompt, but an empty prompt of the second pass stays empty", () => {
  const form = { ...formOf({ prompt: "a pier", hr_negative_prompt: "blurry" }), styles: ["film"] };
  const styles = [{ name: "film", prompt: "photo of {prompt}, grain", negative_prompt: "drawing" }];
  const { parameters } = generationOf("txt2img", form, CLOUD, { ...NOTHING, styles }, null);
  expect(parameters).toMatchObject({
    prompt: "photo of a pier, grain",
    negative_prompt: "drawing",
    hr_prompt: "",
    hr_negative_prompt: "blurry, drawing",
  });
  expect(parameters).not.toHaveProperty("styles");
});

test("units that are on are sent with the name of their picture, those that are off are not", () => {
  const on = { ...usualUnit(), enabled: true, module: "canny", model: "canny.safetensors", weight: 0.8 };
  const form = { ...formOf(), units: [usualUnit(), on, { ...on, pixel_perfect: true }] };
  const { parameters } = generationOf("txt2img", form, CLOUD, { ...NOTHING, unitPictures: [true, true, false] }, null);
  const { args } = (parameters?.["alwayson_scripts"] as { controlnet: { args: Record<string, unknown>[] } }).controlnet;
  expect(args).toHaveLength(2);
  expect(args[0]).toMatchObject({
    enabled: true,
    module: "canny",
    model: "canny.safetensors",
    weight: 0.8,
    guidance_start: 0,
    guidance_end: 1,
    control_mode: "Balanced",
    resize_mode: "Crop and Resize",
    processor_res: 512,
    image: "image:controlnet_1",
  });
  expect(args[1]).toMatchObject({ pixel_perfect: true, processor_res: -1, image: null });
});

test("no unit, no script", () => {
  expect(sent("txt2img")["alwayson_scripts"]).toEqual({});
});

test("resize by takes the picture's size times the factor, down to a multiple of 8", () => {
  const values = { ...usualValues("img2img"), resize_by: true, scale_by: 1.5 };
  expect(sizeOf(values, { width: 333, height: 500 })).toEqual({ width: 496, height: 744 });
  expect(sizeOf({ ...values, resize_by: false }, { width: 333, height: 500 })).toEqual({ width: 512, height: 512 });
});

test("the size after the second pass is the one that the API counts", () => {
  for (const [width, height, how, told] of known.hires_sizes) {
    const given = { hr_scale: how.scale ?? 2, hr_resize_x: how.resize_x ?? 0, hr_resize_y: how.resize_y ?? 0 };
    const found = hiresSize({ ...usualValues("txt2img"), width, height, ...given });
    expect([found.width, found.height]).toEqual(told);
  }
});

test("upscalers without a file are those that the API knows", () => {
  const ours = [...LATENT_UPSCALERS, ...PLAIN_UPSCALERS].map((name) => name.toLowerCase());
  expect(ours.sort()).toEqual(known.upscalers_without_file.map((name) => name.toLowerCase()).sort());
});

test("every field of numbers has bounds and a step", () => {
  const numbers = NAMES.filter((name) => "min" in FIELDS[name]) as NamesOf<number>[];
  for (const name of numbers) expect(numberField(name).step, name).toBeGreaterThan(0);
});
