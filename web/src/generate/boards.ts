/** The canvases of img2img: one for each sub-tab, with its picture and what is painted on it. */
import { until } from "../api";
import { copyPicture, createBoard, type Board } from "../canvas";
import type { Mode as ApiMode } from "./body";
import { mode, MODES, type PictureMode } from "./forms";

export type CanvasMode = Parameters<Board["result"]>[0];

/** What each sub-tab paints, and the mode of its job. The WebUI's inpaint sketch is an inpaint job, too. */
export const CANVAS: Readonly<Record<PictureMode, { canvas: CanvasMode; api: ApiMode; masked: boolean }>> = {
  img2img: { canvas: "picture", api: "img2img", masked: false },
  sketch: { canvas: "sketch", api: "sketch", masked: false },
  inpaint: { canvas: "mask", api: "inpaint", masked: true },
  inpaint_sketch: { canvas: "sketch-mask", api: "inpaint", masked: true },
  inpaint_upload: { canvas: "mask", api: "inpaint_upload", masked: true },
};

let made: Record<PictureMode, Board> | null = null;

/** The canvas of a sub-tab. */
export function boardOf(of: PictureMode): Board {
  made ??= Object.fromEntries(MODES.map((each) => [each, createBoard()])) as Record<PictureMode, Board>;
  return made[of];
}

/** The canvas in sight. */
export function boardNow(): Board {
  return boardOf(mode.value);
}

/** Resolves once the canvas in sight has taken in the picture that was given to it last. */
export function pictureTaken(): Promise<void> {
  const { busy } = boardNow();
  return until(() => !busy.value);
}

/** *Copy image to*: the picture with what is painted on it, pixel by pixel, and that sub-tab comes into sight. */
export function copyTo(to: PictureMode): void {
  const from = mode.value;
  copyPicture(boardOf(from), boardOf(to), CANVAS[from].canvas);
  mode.value = to;
}
