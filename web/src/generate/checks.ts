/** What keeps a job from being sent, found before anything is. */
import type { Endpoint, Checkpoint } from "../api";
import { sizeOf, type Cloud, type Form } from "./body";
import type { Tab } from "./fields";
import { numberField } from "./fields";
import type { PictureMode } from "./forms";
import { fileMeant, ofKind, whyNot, type WhyNot } from "./shelf";
import { unitProblem, type UnitProblem } from "./units";

export type Reason =
  | { what: "checkpointMissing" | "noEndpoint" | "pictureMissing" | "maskMissing" | "maskEmpty" | "refinerMissing" }
  | { what: "checkpointGone" | "vaeGone" | "endpointGone"; name: string }
  | { what: "endpointNot"; name: string; why: WhyNot; status: string }
  | { what: "unit"; number: number; why: UnitProblem }
  | { what: "sizeOutside"; width: number; height: number };

/** What is known at the click. Null: not read yet, and then the API decides. */
export interface Known {
  files: readonly Checkpoint[] | null;
  endpoints: readonly Endpoint[] | null;
}

/** What the tab's canvas holds. */
export interface Canvas {
  mode: PictureMode;
  size: { width: number; height: number } | null;
  /** true where a mask is needed and none was uploaded */
  maskMissing: boolean;
  /** true where a mask is needed and nothing was painted */
  maskEmpty: boolean;
}

/** Why a generation cannot be sent; an empty list: it can. */
export function reasonsAgainst(
  tab: "txt2img" | "img2img",
  form: Form,
  cloud: Cloud,
  known: Known,
  unitPictures: readonly boolean[],
  canvas: Canvas | null,
): Reason[] {
  const { values } = form;
  const units = form.units.flatMap((unit, index): Reason[] => {
    const why = unitProblem(unit, unitPictures[index] ?? false, tab === "img2img");
    return why ? [{ what: "unit", number: index, why }] : [];
  });
  return [
    ...modelReasons(cloud, known),
    ...endpointReasons(cloud.endpoint, known),
    ...(canvas ? canvasReasons(form, canvas) : []),
    ...(values.enable_refiner && !values.refiner_checkpoint ? [{ what: "refinerMissing" } as const] : []),
    ...units,
  ];
}

function modelReasons({ checkpoint, vae }: Cloud, { files }: Known): Reason[] {
  if (checkpoint === "") return [{ what: "checkpointMissing" }];
  if (!files) return [];
  const reasons: Reason[] = [];
  if (!fileMeant(ofKind(files, "stable-diffusion"), checkpoint))
    reasons.push({ what: "checkpointGone", name: checkpoint });
  const own = !["Automatic", "None"].includes(vae);
  if (own && !fileMeant(ofKind(files, "vae"), vae)) reasons.push({ what: "vaeGone", name: vae });
  return reasons;
}

/** Why no endpoint takes a job: the chosen one, or with an empty name all of them. */
export function endpointReasons(name: string, { endpoints }: Known): Reason[] {
  if (!endpoints) return [];
  if (name === "") return endpoints.some((each) => whyNot(each) === null) ? [] : [{ what: "noEndpoint" }];
  const chosen = endpoints.find((each) => each.name === name);
  if (!chosen) return [{ what: "endpointGone", name }];
  const why = whyNot(chosen);
  return why ? [{ what: "endpointNot", name, why, status: chosen.status }] : [];
}

function canvasReasons(form: Form, canvas: Canvas): Reason[] {
  if (!canvas.size) return [{ what: "pictureMissing" }];
  if (canvas.maskMissing) return [{ what: "maskMissing" }];
  if (canvas.maskEmpty && form.values.inpainting_mask_invert === 0) return [{ what: "maskEmpty" }];
  const { width, height } = sizeOf(form.values, canvas.size);
  const { min, max } = numberField("width");
  const outside = [width, height].some((side) => side < min || side > max);
  return outside ? [{ what: "sizeOutside", width, height }] : [];
}

export function isGenerating(tab: Tab): tab is "txt2img" | "img2img" {
  return tab !== "extras";
}
