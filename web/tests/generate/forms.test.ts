// @vitest-environment happy-dom
import { afterEach, expect, test, vi } from "vitest";
import { cloud, formOf, keepForms, mode, reset, setValues, states, valuesOf } from "../../src/generate/forms";
import { usualValues } from "../../src/generate/fields";

afterEach(() => {
  vi.useRealTimers();
  for (const state of Object.values(states)) reset(state);
  sessionStorage.clear();
});

test("what is written into a form is kept when the page is left, and read again", () => {
  keepForms();
  setValues(states.txt2img, { prompt: "a pier", steps: 41, enable_hr: true });
  states.txt2img.units[1]!.value = { ...states.txt2img.units[1]!.value, enabled: true, model: "canny" };
  states.txt2img.overrides.value = { randn_source: "CPU" };
  cloud.checkpoint.value = "v1-5.safetensors";
  mode.value = "inpaint";
  dispatchEvent(new Event("pagehide"));
  const before = formOf(states.txt2img);
  const kept = Object.fromEntries(Object.entries({ ...sessionStorage }));
  reset(states.txt2img);
  cloud.checkpoint.value = "";
  mode.value = "img2img";
  expect(valuesOf(states.txt2img)).toEqual(usualValues("txt2img"));
  sessionStorage.clear();
  for (const [name, value] of Object.entries(kept)) sessionStorage.setItem(name, String(value));
  keepForms();
  expect(formOf(states.txt2img)).toEqual(before);
  expect([cloud.checkpoint.value, mode.value]).toEqual(["v1-5.safetensors", "inpaint"]);
  expect(valuesOf(states.img2img)).toEqual(usualValues("img2img"));
});

test("what an older page kept is taken as far as it fits", () => {
  sessionStorage.setItem(
    "darkroom.form.txt2img",
    JSON.stringify({ values: { steps: 9_999, prompt: 5, gone: 1, tiling: true }, units: [null], styles: "x" }),
  );
  sessionStorage.setItem("darkroom.form.img2img", "{broken");
  keepForms();
  const values = valuesOf(states.txt2img);
  expect([values.steps, values.prompt, values.tiling]).toEqual([150, "", true]);
  expect(states.txt2img.styles.value).toEqual([]);
  expect(valuesOf(states.img2img)).toEqual(usualValues("img2img"));
});
