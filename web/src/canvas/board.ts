/** A board: a picture, what is painted on it, and the tools in hand. It lives as long as its tab, outside of what is
 * drawn; `PictureCanvas` shows it. */

import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { CodecFault, decoded, maskFile, pictureFile, thresholded, type Pixels } from "../pictures";
import { redo as redoStep, undo as undoStep } from "./history";
import type { Box, Colour } from "./shapes";
import {
  boxOf,
  clearAll,
  createSurface,
  flattened,
  invertMask,
  isPainted,
  maskIsEmpty,
  maskOf,
  setMask,
  type Mode,
  type Surface,
} from "./surface";
import { t } from "./texts";
import type { Size } from "./view";

export type Tool = "brush" | "eraser" | "pipette" | "hand";

/** What a job is sent: the picture as it came or painted over, and the mask. */
export interface Result {
  init: Blob;
  mask?: Blob;
}

export interface Board {
  /** Upright pixels of the picture; null without one. */
  size: ReadonlySignal<Size | null>;
  /** Counts up with every change of the picture, of the paint and of the mask. */
  changed: ReadonlySignal<number>;
  /** What went wrong with the last file, in words. */
  problem: ReadonlySignal<string | null>;
  /** What was done otherwise than somebody may expect, in words. */
  notice: ReadonlySignal<string | null>;
  busy: ReadonlySignal<boolean>;
  /** Take a picture in the place of the one that is there. What went wrong is in `problem`. */
  load: (blob: Blob) => Promise<void>;
  /** Take a file as the mask of the picture. */
  loadMask: (blob: Blob) => Promise<void>;
  clear: () => void;
  result: (mode: Mode) => Promise<Result | null>;
  maskIsEmpty: () => boolean;
  /** For the canvas alone. */
  inside: Inside;
}

interface Inside {
  surface: Signal<Surface | null>;
  bitmap: Signal<ImageBitmap | null>;
  tool: Signal<Tool>;
  brushSize: Signal<number>;
  colour: Signal<Colour>;
  opacity: Signal<number>;
  isSoft: Signal<boolean>;
  canUndo: ReadonlySignal<boolean>;
  canRedo: ReadonlySignal<boolean>;
  /** What wants to know which pixels changed (null: all of them). */
  watchers: Set<(box: Box | null) => void>;
  touched: (box: Box | null) => void;
  strokeEnded: () => void;
  undo: () => void;
  redo: () => void;
  invert: () => void;
  wipe: () => void;
  /** The file that the picture came in, if the API takes it and nothing was copied over it. */
  source: () => Blob | null;
  put: (pixels: Pixels, bitmap: ImageBitmap, source: Blob | null) => void;
}

type Words = { key: "unreadable" | "tooLarge" } | { key: "maskSize"; mask: string; picture: string };

const FIRST_BRUSH = 1 / 24;

/** A board without a picture. */
export function createBoard(): Board {
  const surface = signal<Surface | null>(null);
  const bitmap = signal<ImageBitmap | null>(null);
  const changed = signal(0);
  const words = signal<Words | null>(null);
  const wasGrey = signal(false);
  const busy = signal(false);
  const brushSize = signal(32);
  const watchers = new Set<(box: Box | null) => void>();
  let source: Blob | null = null;
  let loading = 0;
  let made: { mode: Mode; at: number; result: Promise<Result> } | null = null;

  const touched = (box: Box | null) => {
    for (const watch of watchers) watch(box);
  };
  const changedAt = (box: Box | null) => {
    changed.value++;
    touched(box);
  };
  const put = (pixels: Pixels, shown: ImageBitmap, file: Blob | null) => {
    source = file;
    brushSize.value = Math.max(1, Math.round(Math.max(pixels.width, pixels.height) * FIRST_BRUSH));
    bitmap.value = shown;
    surface.value = createSurface(pixels);
    wasGrey.value = false;
    words.value = null;
    changedAt(null);
  };
  const withSurface = (act: (one: Surface) => Box | null | void) => () => {
    if (surface.value) changedAt(act(surface.value) ?? null);
  };

  /** Decode a file, unless another one comes before it is done. */
  const open = async (blob: Blob, use: (shown: Awaited<ReturnType<typeof decoded>>) => void) => {
    const mine = ++loading;
    busy.value = true;
    words.value = null;
    try {
      const shown = await decoded(blob);
      if (mine === loading) use(shown);
    } catch (error) {
      if (mine === loading) words.value = { key: error instanceof CodecFault ? error.fault : "unreadable" };
    } finally {
      if (mine === loading) busy.value = false;
    }
  };

  return {
    size: computed(() => surface.value && { width: surface.value.base.width, height: surface.value.base.height }),
    changed,
    problem: computed(() => {
      const said = words.value;
      if (!said) return null;
      return said.key === "maskSize" ? t("maskSize", { mask: said.mask, picture: said.picture }) : t(said.key);
    }),
    notice: computed(() => (wasGrey.value ? t("maskWasGrey") : null)),
    busy,
    load: (blob) => open(blob, ({ pixels, bitmap: shown, isTaken }) => put(pixels, shown, isTaken ? blob : null)),
    loadMask: (blob) =>
      open(blob, ({ pixels }) => {
        const on = surface.value;
        if (!on) return;
        if (pixels.width !== on.base.width || pixels.height !== on.base.height) {
          words.value = { key: "maskSize", mask: sizeText(pixels), picture: sizeText(on.base) };
          return;
        }
        const { mask, wasGrey: grey } = thresholded(pixels);
        setMask(on, mask);
        wasGrey.value = grey;
        changedAt(null);
      }),
    clear: () => {
      loading++;
      source = null;
      surface.value = null;
      bitmap.value = null;
      busy.value = false;
      words.value = null;
      wasGrey.value = false;
      changedAt(null);
    },
    async result(mode) {
      const on = surface.value;
      if (!on) return null;
      if (made?.mode !== mode || made.at !== changed.value) {
        const result = resultOf(on, mode, source);
        made = { mode, at: changed.value, result };
        // What failed may be tried again.
        result.catch(() => (made = null));
      }
      return made.result;
    },
    maskIsEmpty: () => !surface.value || maskIsEmpty(surface.value),
    inside: {
      surface,
      bitmap,
      tool: signal<Tool>("brush"),
      brushSize,
      colour: signal<Colour>([255, 0, 0]),
      opacity: signal(1),
      isSoft: signal(false),
      canUndo: computed(() => changed.value >= 0 && (surface.value?.history.done.length ?? 0) > 0),
      canRedo: computed(() => changed.value >= 0 && (surface.value?.history.undone.length ?? 0) > 0),
      watchers,
      touched,
      strokeEnded: () => {
        changed.value++;
      },
      undo: withSurface((on) => boxOf(undoStep(on.history))),
      redo: withSurface((on) => boxOf(redoStep(on.history))),
      invert: withSurface(invertMask),
      wipe: withSurface(clearAll),
      source: () => source,
      put,
    },
  };
}

async function resultOf(on: Surface, mode: Mode, source: Blob | null): Promise<Result> {
  const paints = (mode === "sketch" || mode === "sketch-mask") && isPainted(on);
  const masks = mode === "mask" || mode === "sketch-mask";
  const { width, height } = on.base;
  const [init, mask] = await Promise.all([
    paints ? pictureFile(flattened(on), true) : (source ?? pictureFile(on.base, false)),
    masks ? maskFile(width, height, maskOf(on)) : undefined,
  ]);
  return mask ? { init, mask } : { init };
}

/** "Copy picture to": the picture as it looks in one mode becomes the picture of another board, pixel for pixel. */
export async function copyPicture(from: Board, to: Board, mode: Mode): Promise<void> {
  const { surface, bitmap, source } = from.inside;
  const on = surface.value;
  if (!on || !bitmap.value || from === to) return;
  if (mode === "picture" || mode === "mask" || !isPainted(on)) {
    to.inside.put(on.base, bitmap.value, source());
    return;
  }
  const pixels = flattened(on);
  to.inside.put(pixels, await createImageBitmap(new ImageData(pixels.data, pixels.width, pixels.height)), null);
}

function sizeText({ width, height }: Size): string {
  return `${width} × ${height}`;
}
