import { expect, test } from "vitest";
import { SERVING } from "../../src/endpoints/state";
import type { Form } from "../../src/generate/body";
import { reasonsAgainst, type Canvas, type Known } from "../../src/generate/checks";
import { usualValues, type Values } from "../../src/generate/fields";
import { usualUnit, type Unit } from "../../src/generate/units";
import { endpoint, file } from "./files";
import { facts } from "./facts";

const KNOWN: Known = {
  files: [file("stable-diffusion", "v1-5.safetensors"), file("vae", "kl.safetensors")],
  endpoints: [endpoint("a", "InService"), endpoint("b", "Creating"), endpoint("c", "Failed")],
};
const CLOUD = { checkpoint: "v1-5.safetensors", vae: "Automatic", endpoint: "" };
const PICTURE: Canvas = { mode: "img2img", size: { width: 512, height: 512 }, maskMissing: false, maskEmpty: false };

function form(values: Partial<Values> = {}, unit: Partial<Unit> = {}): Form {
  const units = [{ ...usualUnit(), ...unit }];
  return { values: { ...usualValues("img2img"), ...values }, overrides: {}, styles: [], units };
}

function against(change: {
  cloud?: Partial<typeof CLOUD>;
  known?: Partial<Known>;
  form?: Form;
  canvas?: Canvas | null;
}) {
  const { cloud = {}, known = {}, canvas = null } = change;
  const tab = canvas ? "img2img" : "txt2img";
  return reasonsAgainst(tab, change.form ?? form(), { ...CLOUD, ...cloud }, { ...KNOWN, ...known }, [false], canvas);
}

test("nothing is against a job whose parts are all there", () => {
  expect(against({})).toEqual([]);
  expect(against({ canvas: PICTURE, cloud: { endpoint: "a", vae: "None" } })).toEqual([]);
});

test("a checkpoint must be chosen and be on the shelf", () => {
  expect(against({ cloud: { checkpoint: "" } })).toEqual([{ what: "checkpointMissing" }]);
  expect(against({ cloud: { checkpoint: "gone" } })).toEqual([{ what: "checkpointGone", name: "gone" }]);
  expect(against({ cloud: { vae: "gone.pt" } })).toEqual([{ what: "vaeGone", name: "gone.pt" }]);
});

test("lists that are not read yet are for the API to decide", () => {
  expect(against({ cloud: { checkpoint: "any", endpoint: "x" }, known: { files: null, endpoints: null } })).toEqual([]);
});

test("an endpoint must take jobs", () => {
  expect(against({ cloud: { endpoint: "b" } })).toEqual([
    { what: "endpointNot", name: "b", why: "endpointComing", status: "Creating" },
  ]);
  expect(against({ cloud: { endpoint: "x" } })).toEqual([{ what: "endpointGone", name: "x" }]);
  expect(against({ known: { endpoints: [endpoint("c", "Failed")] } })).toEqual([{ what: "noEndpoint" }]);
  const going = endpoint("d", "InService", { deleting: true });
  expect(against({ cloud: { endpoint: "d" }, known: { endpoints: [going] } })).toMatchObject([
    { why: "endpointGoing" },
  ]);
});

test("the statuses in which an endpoint takes jobs are those of the API", () => {
  expect([...SERVING].sort()).toEqual(facts().serving);
});

test("img2img needs its picture, and inpaint its mask", () => {
  expect(against({ canvas: { ...PICTURE, size: null } })).toEqual([{ what: "pictureMissing" }]);
  expect(against({ canvas: { ...PICTURE, maskMissing: true } })).toEqual([{ what: "maskMissing" }]);
  expect(against({ canvas: { ...PICTURE, maskEmpty: true } })).toEqual([{ what: "maskEmpty" }]);
});

test("an empty mask that is inverted is all of the picture", () => {
  const inverted = form({ inpainting_mask_invert: 1 });
  expect(against({ canvas: { ...PICTURE, maskEmpty: true }, form: inverted })).toEqual([]);
});

test("a scaled picture must have a size that the API takes", () => {
  const large = form({ resize_by: true, scale_by: 4 });
  const canvas = { ...PICTURE, size: { width: 600, height: 400 } };
  expect(against({ canvas, form: large })).toEqual([{ what: "sizeOutside", width: 2400, height: 1600 }]);
});

test("a unit that is on needs a model and a picture, and must end after it begins", () => {
  const on = { enabled: true, model: "canny" };
  expect(against({ form: form({}, { enabled: true }) })).toEqual([{ what: "unit", number: 0, why: "model" }]);
  expect(against({ form: form({}, on) })).toEqual([{ what: "unit", number: 0, why: "picture" }]);
  expect(against({ form: form({}, on), canvas: PICTURE })).toEqual([]);
  const late = form({}, { ...on, guidance_start: 0.9, guidance_end: 0.5 });
  expect(against({ form: late, canvas: PICTURE })).toEqual([{ what: "unit", number: 0, why: "order" }]);
});

test("a refiner that is on needs a checkpoint", () => {
  expect(against({ form: form({ enable_refiner: true }) })).toEqual([{ what: "refinerMissing" }]);
});
