import { expect, test } from "vitest";
import { usualValues, type Tab } from "../../src/generate/fields";
import { filled, isInfotext, read } from "../../src/generate/infotext";
import { samplerNamed } from "../../src/generate/tables";
import { facts, SEED } from "./facts";

const known = facts();

function fill(text: string, tab: Tab = "txt2img", seed = true) {
  return filled(text, tab, usualValues(tab), { seed });
}

test.each(known.real)("a text from another program means what the API reads in it", ({ text, read: told }) => {
  expect(read(text)).toEqual(told);
});

test(`the worker's texts mean what the API reads in them (seed ${SEED})`, () => {
  for (const { text, read: told } of known.examples) expect(read(text), text).toEqual(told);
});

test(`a form comes back from the text under its picture (seed ${SEED})`, () => {
  for (const { call, body, text } of known.examples) {
    const { values, checkpoint } = fill(text, call);
    expect(checkpoint, text).toBe("v1-5-pruned [6ce0161689]");
    for (const name of ["prompt", "negative_prompt", "steps", "sampler_name", "cfg_scale", "seed", "tiling"] as const) {
      expect(values[name], `${name} of ${text}`).toEqual(body[name]);
    }
    expect([values.width, values.height]).toEqual([body["width"], body["height"]]);
    expect(values.CLIP_stop_at_last_layers).toBe(
      (body["override_settings"] as Record<string, number>)["CLIP_stop_at_last_layers"],
    );
    expect(values.seed_extra).toBe("subseed" in body);
    expect(values.subseed).toBe(body["subseed"] ?? -1);
    expect(values.enable_hr).toBe(body["enable_hr"] ?? false);
    if (values.enable_hr) {
      expect(values.denoising_strength).toBe(body["denoising_strength"]);
      expect(values.hr_upscaler).toBe(body["hr_upscaler"]);
      expect(values.hr_resize_x).toBe(body["hr_resize_x"] ?? 0);
      const same = body["hr_prompt"] === body["prompt"];
      expect(values.hr_prompt).toBe(same ? "" : body["hr_prompt"]);
    }
    if (call === "img2img") {
      for (const name of ["mask_blur", "inpainting_mask_invert", "inpaint_full_res"] as const) {
        expect(values[name], `${name} of ${text}`).toEqual(body[name]);
      }
    }
  }
});

test("every name of a sampler means what the API takes it for, also those with a schedule at their end", () => {
  for (const [word, told] of Object.entries(known.samplers)) {
    const found = samplerNamed(word);
    expect(found ? [found.sampler, found.scheduler] : null, word).toEqual(told);
  }
});

test("an old sampler's name fills sampler and schedule", () => {
  const { values } = fill("a\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 5, Size: 512x512");
  expect([values.sampler_name, values.scheduler]).toEqual(["DPM++ 2M", "Karras"]);
});

test("what a text does not say of hires fix, variation and refiner is switched off", () => {
  const before = { ...usualValues("txt2img"), enable_hr: true, seed_extra: true, subseed_strength: 0.5, tiling: true };
  const text = "a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 512x512";
  const { values } = filled(
    text,
    "txt2img",
    { ...before, refiner_checkpoint: "xl", enable_refiner: true },
    { seed: true },
  );
  expect([values.enable_hr, values.seed_extra, values.enable_refiner, values.tiling]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test("the seed stays as it is where nobody asks for it", () => {
  const text = "a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 512x512";
  expect(fill(text, "txt2img", false).values.seed).toBe(-1);
  expect(fill(text).values.seed).toBe(5);
});

test("settings that no field shows go along with the job", () => {
  const text =
    "a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, RNG: CPU, ENSD: 31337, VAE: kl.safetensors, Eta: 0.5";
  const { overrides, vae } = fill(text);
  expect(overrides).toEqual({ randn_source: "CPU", eta_noise_seed_delta: 31337, eta_ancestral: 0.5 });
  expect(vae).toBe("kl.safetensors");
});

test("a mere prompt fills the prompt alone", () => {
  const before = { ...usualValues("txt2img"), steps: 33, enable_hr: true };
  const { values } = filled("a pier, at dawn", "txt2img", before, { seed: true });
  expect(values).toEqual({ ...before, prompt: "a pier, at dawn" });
  expect(isInfotext("a pier, at dawn")).toBe(false);
});

test("a long text without a colon is read in no time", () => {
  const text = `${"word ".repeat(40_000)}\nSteps: 1, Sampler: Euler, Seed: 2`;
  expect(fill(text).values.steps).toBe(1);
});

test("a seed that JavaScript's numbers cannot hold is not changed into another one", () => {
  const { values } = fill("a\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 9223372036854775807, Size: 64x64");
  expect(values.seed).toBe(-1);
});
