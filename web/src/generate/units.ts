/** The units of ControlNet on a tab, and how the API of its extension says them. */
import { fieldsOf } from "../api";
import { PREPROCESSORS } from "./tables";

/** As many as the extension shows. */
export const UNITS = 3;

export const CONTROL_MODES = ["Balanced", "My prompt is more important", "ControlNet is more important"] as const;
export const UNIT_RESIZE_MODES = ["Just Resize", "Crop and Resize", "Resize and Fill"] as const;
export type ControlMode = (typeof CONTROL_MODES)[number];
export type UnitResizeMode = (typeof UNIT_RESIZE_MODES)[number];

export interface Unit {
  enabled: boolean;
  module: string;
  /** the file's name on the shelf; empty: none chosen */
  model: string;
  weight: number;
  guidance_start: number;
  guidance_end: number;
  control_mode: ControlMode;
  resize_mode: UnitResizeMode;
  pixel_perfect: boolean;
  /** the side in pixels that the preprocessor works at; it counts without `pixel_perfect` */
  processor_res: number;
}

export const WEIGHT = { min: 0, max: 2, step: 0.05 };
export const GUIDANCE = { min: 0, max: 1, step: 0.01 };
export const RESOLUTION = { min: 64, max: 2048, step: 8 };

export function usualUnit(): Unit {
  return {
    enabled: false,
    module: PREPROCESSORS[0] ?? "none",
    model: "",
    weight: 1,
    guidance_start: 0,
    guidance_end: 1,
    control_mode: "Balanced",
    resize_mode: "Crop and Resize",
    pixel_perfect: false,
    processor_res: 512,
  };
}

export function usualUnits(): Unit[] {
  return Array.from({ length: UNITS }, usualUnit);
}

/** The name of a unit's picture among the pictures of a job. */
export function pictureName(index: number): string {
  return `controlnet_${index}`;
}

/** The units that are on, as `alwayson_scripts` says them. `pictures` tells which units have one of their own. */
export function scriptOf(units: readonly Unit[], pictures: readonly boolean[]): Record<string, unknown> {
  const args = units.flatMap((unit, index) => (unit.enabled ? [unitBody(unit, index, pictures[index] ?? false)] : []));
  return args.length > 0 ? { controlnet: { args } } : {};
}

function unitBody(unit: Unit, index: number, hasPicture: boolean): Record<string, unknown> {
  const { pixel_perfect, processor_res, ...rest } = unit;
  return {
    ...rest,
    pixel_perfect,
    processor_res: pixel_perfect ? -1 : processor_res,
    image: hasPicture ? `image:${pictureName(index)}` : null,
  };
}

export type UnitProblem = "model" | "picture" | "order";

/** What keeps a unit from being sent. In img2img a unit without a picture looks at the picture that is repainted. */
export function unitProblem(unit: Unit, hasPicture: boolean, isImg2img: boolean): UnitProblem | null {
  if (!unit.enabled) return null;
  if (unit.model === "") return "model";
  if (!hasPicture && !isImg2img) return "picture";
  return unit.guidance_start > unit.guidance_end ? "order" : null;
}

/** A stored unit, with the usual values where it says nothing that fits. */
export function readUnit(stored: unknown): Unit {
  const said = fieldsOf(stored);
  const kept = Object.entries(usualUnit()).map(([name, value]) => {
    const given = said[name];
    return [name, typeof given === typeof value ? given : value] as const;
  });
  return Object.fromEntries(kept) as unknown as Unit;
}
