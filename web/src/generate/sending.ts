/** Generate on Cloud: checks, pictures, body, job. Nothing here waits for a job to end. */
import { signal } from "@preact/signals";
import type { Job, JobWish } from "../api";
import { tellBudget } from "../costs";
import { endpoints } from "../endpoints";
import { uploadPictures } from "../pictures";
import { send } from "../tray";
import { boardNow, CANVAS, pictureTaken } from "./boards";
import { extrasOf, generationOf, type Pictures, type Surroundings } from "./body";
import { endpointReasons, reasonsAgainst, type Canvas, type Reason } from "./checks";
import { type Tab } from "./fields";
import { cloudNow, extrasPicture, formOf, mode, states, valuesOf, type State } from "./forms";
import { files } from "./shelf";
import { styles } from "./styles";
import { pictureName } from "./units";

/** What became of the last click on a tab's button. */
export interface Outcome {
  /** how many wishes are on their way */
  sending: number;
  reasons: readonly Reason[];
  fault: unknown;
  /** the job that was made last */
  job: Job | null;
}

const NOTHING: Outcome = { sending: 0, reasons: [], fault: null, job: null };
export const outcomes = { txt2img: signal(NOTHING), img2img: signal(NOTHING), extras: signal(NOTHING) };
export type InterrogationType = "interrogate_clip" | "interrogate_deepbooru";

/** What is to be sent: the wish without its pictures, and its pictures. */
interface Parcel {
  wish: JobWish;
  pictures: () => Promise<Pictures>;
}

/** One click on *Generate on Cloud*. Resolves with the job, or with null where it was refused or failed. */
export async function generate(tab: Tab): Promise<Job | null> {
  const outcome = outcomes[tab];
  if (tab === "img2img") await pictureTaken();
  const reasons = tab === "extras" ? reasonsAgainstExtras() : against(tab);
  outcome.value = { ...outcome.value, reasons, fault: null };
  if (reasons.length > 0) return null;
  return sent(tab, tab === "extras" ? extrasParcel() : generationParcel(tab));
}

/** Sends a picture to be described. Throws what went wrong. */
export async function interrogate(type: InterrogationType, picture: Blob): Promise<Job> {
  const { endpoint } = cloudNow();
  const wish: JobWish = { type, ...(endpoint ? { endpoint } : {}), parameters: {} };
  return posted({ wish, pictures: () => Promise.resolve({ init: picture }) });
}

async function sent(tab: Tab, parcel: Parcel): Promise<Job | null> {
  const outcome = outcomes[tab];
  outcome.value = { ...outcome.value, sending: outcome.value.sending + 1 };
  try {
    const job = await posted(parcel);
    outcome.value = { ...outcome.value, job };
    return job;
  } catch (fault) {
    outcome.value = { ...outcome.value, fault };
    return null;
  } finally {
    outcome.value = { ...outcome.value, sending: outcome.value.sending - 1 };
  }
}

/** Uploads the pictures, and hands the wish to the tray, for which the same wish twice in a row is one job. What the
 * answer tells of a budget is shown where jobs are made. */
async function posted({ wish, pictures }: Parcel): Promise<Job> {
  const blobs = await pictures();
  const images = Object.keys(blobs).length > 0 ? await uploadPictures(blobs) : {};
  const job = await send({ ...wish, images });
  tellBudget(job);
  return job;
}

function against(tab: "txt2img" | "img2img"): Reason[] {
  const state = states[tab];
  const known = { files: files.value, endpoints: endpoints.value };
  return reasonsAgainst(
    tab,
    formOf(state),
    cloudNow(),
    known,
    unitPictures(state),
    tab === "img2img" ? canvasNow() : null,
  );
}

function reasonsAgainstExtras(): Reason[] {
  const reasons = endpointReasons(cloudNow().endpoint, { files: files.value, endpoints: endpoints.value });
  return extrasPicture.value ? reasons : [{ what: "pictureMissing" }, ...reasons];
}

function canvasNow(): Canvas {
  const board = boardNow();
  const isEmpty = CANVAS[mode.value].masked && board.size.value !== null && board.maskIsEmpty();
  const isUpload = mode.value === "inpaint_upload";
  return {
    mode: mode.value,
    size: board.size.value,
    maskMissing: isEmpty && isUpload,
    maskEmpty: isEmpty && !isUpload,
  };
}

function unitPictures(state: State): boolean[] {
  return state.unitPictures.map((picture) => picture.value !== null);
}

function generationParcel(tab: "txt2img" | "img2img"): Parcel {
  const state = states[tab];
  const start = tab === "img2img" ? boardNow().size.value : null;
  const around: Surroundings = { styles: styles.value, unitPictures: unitPictures(state), start };
  const sub = CANVAS[mode.value];
  const wish = generationOf(tab, formOf(state), cloudNow(), around, tab === "img2img" ? sub.api : null);
  const own = unitBlobs(state);
  if (tab === "txt2img") return { wish, pictures: () => Promise.resolve(own) };
  const board = boardNow();
  const pictures = async (): Promise<Pictures> => {
    const painted = await board.result(sub.canvas);
    if (!painted) return own;
    return { ...own, init: painted.init, ...(painted.mask ? { mask: painted.mask } : {}) };
  };
  return { wish, pictures };
}

function extrasParcel(): Parcel {
  const wish = extrasOf(valuesOf(states.extras), cloudNow().endpoint);
  const pictures: Pictures = extrasPicture.value ? { init: extrasPicture.value } : {};
  return { wish, pictures: () => Promise.resolve(pictures) };
}

function unitBlobs(state: State): Pictures {
  const blobs: Record<string, Blob> = {};
  state.units.forEach((unit, index) => {
    const picture = state.unitPictures[index]?.value;
    if (unit.value.enabled && picture) blobs[pictureName(index)] = picture;
  });
  return blobs;
}
