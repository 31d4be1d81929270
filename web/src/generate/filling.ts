/** Fills the forms from outside: from a text under a picture, from a job, with a picture. */
import { batch } from "@preact/signals";
import { go, route } from "../app/route";
import { fieldsOf, type Job } from "../api";
import { infotextOf } from "../pictures";
import { boardOf } from "./boards";
import { sidesOf, withValues, type Tab } from "./fields";
import { cloud, extrasPicture, mode, setValues, states, valuesOf, type PictureMode, type State } from "./forms";
import { clipSkip, filled, isInfotext, meantBy, overridesIn, switchesOf } from "./infotext";
import { fileMeant, files, ofKind } from "./shelf";
import { readUnit, usualUnit } from "./units";

export type Destination = "txt2img" | "img2img" | "inpaint" | "extras";
type Generating = "txt2img" | "img2img";

/** The tab that a text is meant for: the one in sight, else txt2img. */
function tabInSight(): Generating {
  return route.value.path[0] === "img2img" ? "img2img" : "txt2img";
}

/** Fills a form from the text under a picture, and goes there. With `seed` false the seed stays as it is. */
export function fillFromInfotext(text: string, more: { seed?: boolean; tab?: Generating } = {}): void {
  const tab = more.tab ?? tabInSight();
  const state = states[tab];
  const filling = filled(text, tab, valuesOf(state), { seed: more.seed ?? true });
  batch(() => {
    setValues(state, filling.values);
    if (isInfotext(text)) state.overrides.value = filling.overrides;
    chooseModels(filling.checkpoint, filling.vae);
  });
  go(`#/${tab}`);
}

/** Chooses what the text names. What is not on the shelf is chosen all the same: the form says so before it sends. */
function chooseModels(checkpoint: string | null, vae: string | null): void {
  const named = (kind: "stable-diffusion" | "vae", text: string): string =>
    fileMeant(ofKind(files.value, kind), text)?.name ?? text;
  if (checkpoint) cloud.checkpoint.value = named("stable-diffusion", checkpoint);
  if (vae) cloud.vae.value = named("vae", vae);
}

/**
 * Fills the form of a job's type with what the job asked for, its models and its pictures, and goes there. With `seed`
 * the seed is that of its first picture, so that the same picture can be painted again.
 */
export function fillFromJob(job: Job, more: { seed?: boolean } = {}): void {
  const tab: Tab = job.type === "txt2img" || job.type === "extras" ? job.type : "img2img";
  const state = states[tab];
  const seed = more.seed ? (job.images[0]?.seed ?? job.seed) : null;
  batch(() => {
    if (job.type !== "interrogate_clip" && job.type !== "interrogate_deepbooru")
      fillFromBody(state, job.parameters, seed);
    chooseModels(job.checkpoint, job.models["vae"]?.[0] ?? (job.type === "extras" ? null : "Automatic"));
  });
  go(`#/${tab}`);
  void takePictures(job, tab);
}

function fillFromBody(state: State, body: Readonly<Record<string, unknown>>, seed: number | null): void {
  const settings = fieldsOf(body["override_settings"]);
  const refiner = typeof body["refiner_checkpoint"] === "string" ? body["refiner_checkpoint"] : "";
  const given = meantBy({ ...body, ...clipSkip(settings), refiner_checkpoint: refiner, ...(seed === null ? {} : { seed }) });
  const values = withValues(valuesOf(state), { ...given, resize_by: false });
  setValues(state, { ...values, ...switchesOf(values) });
  state.overrides.value = overridesIn(settings);
  state.styles.value = [];
  const units = unitsIn(body);
  state.units.forEach((unit, index) => {
    const said = units[index];
    unit.value = said === undefined ? usualUnit() : { ...readUnit(said), enabled: fieldsOf(said)["enabled"] !== false };
  });
}

/** The units of ControlNet that a body names, in their order. */
function unitsIn(body: Readonly<Record<string, unknown>>): readonly unknown[] {
  const { args } = fieldsOf(fieldsOf(body["alwayson_scripts"])["controlnet"]);
  return Array.isArray(args) ? args : [];
}

/** The pictures that the job started from, put where they were. */
async function takePictures(job: Job, tab: Tab): Promise<void> {
  const blobs = new Map<string, Blob>();
  await Promise.all(
    job.inputs.map(async ({ name, url }) => {
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok) blobs.set(name, await answer.blob());
    }),
  );
  const init = blobs.get("init");
  if (tab === "extras") {
    extrasPicture.value = init ?? extrasPicture.value;
  } else if (init && tab === "img2img") {
    const mask = blobs.get("mask");
    const to: PictureMode = mask ? "inpaint" : job.mode === "sketch" ? "sketch" : "img2img";
    mode.value = to;
    await boardOf(to).load(init);
    if (mask) await boardOf(to).loadMask(mask);
  }
  if (tab !== "extras") takeUnitPictures(job, states[tab], blobs);
}

function takeUnitPictures(job: Job, state: State, blobs: ReadonlyMap<string, Blob>): void {
  const units = unitsIn(job.parameters);
  state.unitPictures.forEach((picture, index) => {
    const said = fieldsOf(units[index])["image"];
    picture.value = typeof said === "string" ? (blobs.get(said.replace(/^image:/, "")) ?? null) : null;
  });
}

/**
 * Puts a picture into a form, with what the text under it says, and goes there. To txt2img goes the text alone. A
 * picture for img2img sets the size, as in the WebUI.
 */
export function sendPicture(to: Destination, picture: Blob): void {
  if (to === "extras") {
    extrasPicture.value = picture;
    go("#/extras");
    return;
  }
  const tab = to === "txt2img" ? "txt2img" : "img2img";
  go(`#/${tab}`);
  void take(to, tab, picture);
}

async function take(to: "txt2img" | "img2img" | "inpaint", tab: Generating, picture: Blob): Promise<void> {
  const text = await infotextOf(picture).catch(() => null);
  const { denoising_strength } = valuesOf(states[tab]);
  if (text && isInfotext(text)) {
    fillFromInfotext(text, { tab });
    // The strength of the first picture says nothing of the next one.
    if (to !== "txt2img") setValues(states[tab], { denoising_strength });
  }
  if (to === "txt2img") return;
  mode.value = to;
  const board = boardOf(to);
  await board.load(picture);
  if (board.size.value) setValues(states[tab], sidesOf(board.size.value));
}
