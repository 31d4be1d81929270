/** The window onto a board's picture: painting, looking around, and all of it by keyboard, too. */

import { effect, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import type { Board } from "./board";
import type { Point } from "./capsule";
import { attachGestures } from "./gestures";
import { createScreen } from "./screen";
import { beginStroke, colourAt, type Mode, type Stroke } from "./surface";
import { t } from "./texts";
import { fitted, panned, pictureAt, showing, zoomed, type Size, type View } from "./view";

export interface StageProps {
  board: Board;
  mode: Mode;
  label: string;
  /** The id of the words that say which keys there are. */
  describedBy: string;
  /** Set by the stage; the tool bar changes it. */
  control: { current: StageControl | null };
  onZoom: (scale: number) => void;
}

export interface StageControl {
  zoom: (factor: number) => void;
  fit: () => void;
  actual: () => void;
}

export function Stage({ board, mode, label, describedBy, control, onZoom }: StageProps) {
  const { surface, bitmap, tool, brushSize } = board.inside;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLDivElement>(null);
  const cursor = useSignal<Point | null>(null);
  const isSpaceHeld = useRef(false);

  useLayoutEffect(() => {
    const box = frame.current;
    const area = canvas.current;
    const on = surface.value;
    const shown = bitmap.value;
    if (!box || !area || !on || !shown) return;
    const screen = createScreen(area);
    const picture = { width: on.base.width, height: on.base.height };
    // With its fractions: rounded, the picture would be a part of a pixel beside the pointer.
    const sizeNow = (): Size => {
      const { width, height } = area.getBoundingClientRect();
      return { width, height };
    };
    let window = sizeNow();
    let view = fitted(picture, window);
    let isFitted = true;
    let stroke: Stroke | null = null;
    let hovered: Point | null = null;
    let due = 0;
    let cursorStroke: Stroke | null = null;
    let hasDrawn = false;

    const paintsNow = () => mode !== "picture" && tool.value !== "hand" && !isSpaceHeld.current;
    const draw = () => {
      due = 0;
      screen.draw({ surface: on, bitmap: shown, mode, view, window, density: devicePixelRatio || 1 });
      ringAt();
    };
    const later = () => {
      due ||= requestAnimationFrame(draw);
    };
    const look = (next: View, keepsFit = false) => {
      isFitted = keepsFit;
      view = next;
      onZoom(view.scale);
      later();
    };
    const middle = () => ({ x: window.width / 2, y: window.height / 2 });
    const zoom = (factor: number, at: Point = middle()) => look(zoomed(view, factor, at, picture, window));
    control.current = {
      zoom: (factor) => zoom(factor),
      fit: () => look(fitted(picture, window), true),
      actual: () => zoom(1 / view.scale),
    };

    /** The ring shows how much a brush would cover, at the pointer or at the cursor of the keyboard. */
    const ringAt = () => {
      const element = ring.current;
      const key = cursor.value;
      const at = key ? { x: key.x * view.scale + view.x, y: key.y * view.scale + view.y } : hovered;
      if (!element) return;
      element.hidden = !at || (!key && !paintsNow());
      if (!at) return;
      const isBrush = mode !== "picture" && (tool.value === "brush" || tool.value === "eraser");
      const size = Math.max(6, isBrush ? brushSize.value * view.scale : 6);
      element.style.width = element.style.height = `${size}px`;
      element.style.transform = `translate(${at.x - size / 2}px, ${at.y - size / 2}px)`;
    };

    const brush = () => ({
      size: brushSize.value,
      colour: board.inside.colour.value,
      opacity: board.inside.opacity.value,
      isSoft: board.inside.isSoft.value,
      erases: tool.value === "eraser",
    });
    const pick = (at: Point) => {
      const found = colourAt(on, Math.floor(at.x), Math.floor(at.y));
      if (found) board.inside.colour.value = found;
    };
    const begin = (at: Point): Stroke | null => {
      if (tool.value === "pipette") {
        pick(at);
        return null;
      }
      const begun = beginStroke(on, mode, brush());
      board.inside.touched(begun.to(at));
      return begun;
    };

    const detach = attachGestures(area, {
      moves: () => !paintsNow(),
      begin: (at) => {
        cursor.value = null;
        stroke = begin(pictureAt(view, at));
      },
      paint: (points) => {
        for (const at of points) {
          const here = pictureAt(view, at);
          if (stroke) board.inside.touched(stroke.to(here));
          else if (tool.value === "pipette") pick(here);
        }
      },
      end: () => {
        if (stroke) {
          stroke.end();
          board.inside.strokeEnded();
        } else if (tool.value === "pipette") {
          tool.value = "brush";
        }
        stroke = null;
      },
      cancel: () => {
        stroke?.cancel();
        stroke = null;
        board.inside.touched(null);
      },
      pan: (by) => {
        if (isSpaceHeld.current) hasDrawn = true;
        look(panned(view, by, picture, window));
      },
      zoom: (factor, at) => zoom(factor, at),
      hover: (at) => {
        hovered = at;
        ringAt();
      },
      wheelZooms: () => document.activeElement === area,
    });

    const step = (event: KeyboardEvent) => (event.shiftKey ? 1 : Math.max(1, Math.round(8 / view.scale)));
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const keyed = (event: KeyboardEvent) => {
      const direction = arrows[event.key];
      if (direction) {
        event.preventDefault();
        const from = cursor.value ?? cursorStart(view, picture, window);
        const by = step(event);
        const held = (value: number, most: number) => Math.min(most - 0.5, Math.max(0.5, value));
        const to = { x: held(from.x + direction[0] * by, picture.width), y: held(from.y + direction[1] * by, picture.height) };
        cursor.value = to;
        if (isSpaceHeld.current && mode !== "picture" && tool.value !== "hand") {
          hasDrawn = true;
          cursorStroke ??= begin(from);
          if (cursorStroke) board.inside.touched(cursorStroke.to(to));
        }
        look(showing(view, to, picture, window), isFitted);
        ringAt();
      } else if (event.key === " ") {
        event.preventDefault();
        if (!event.repeat) hasDrawn = false;
        isSpaceHeld.current = true;
        ringAt();
      } else {
        shortcut(event);
      }
    };
    const released = (event: KeyboardEvent) => {
      if (event.key !== " " || !isSpaceHeld.current) return;
      isSpaceHeld.current = false;
      const at = cursor.value;
      if (!hasDrawn && at && mode !== "picture" && tool.value !== "hand") cursorStroke = begin(at);
      endCursorStroke();
      ringAt();
    };
    const endCursorStroke = () => {
      if (!cursorStroke) return;
      cursorStroke.end();
      cursorStroke = null;
      board.inside.strokeEnded();
    };
    const shortcut = (event: KeyboardEvent) => {
      const act = actionOf(event);
      if (!act) return;
      event.preventDefault();
      act({ board, mode, zoom, fit: () => look(fitted(picture, window), true), actual: () => zoom(1 / view.scale) });
      ringAt();
    };
    const blurred = () => {
      isSpaceHeld.current = false;
      endCursorStroke();
      cursor.value = null;
      ringAt();
    };
    area.addEventListener("keydown", keyed);
    area.addEventListener("keyup", released);
    area.addEventListener("blur", blurred);

    const watch = (box: Parameters<typeof screen.spoil>[0]) => {
      screen.spoil(box);
      later();
    };
    board.inside.watchers.add(watch);
    const resized = new ResizeObserver(() => {
      const next = sizeNow();
      if (!next.width || !next.height) return;
      const old = window;
      window = next;
      if (isFitted) look(fitted(picture, window), true);
      else look(panned(view, { x: (next.width - old.width) / 2, y: (next.height - old.height) / 2 }, picture, window));
    });
    resized.observe(box);
    onZoom(view.scale);
    draw();
    const stopRing = effect(() => {
      // Read, so that another brush shows another ring.
      void [brushSize.value, tool.value];
      ringAt();
    });
    return () => {
      stopRing();
      stroke?.cancel();
      cursorStroke?.end();
      cancelAnimationFrame(due);
      detach();
      resized.disconnect();
      board.inside.watchers.delete(watch);
      area.removeEventListener("keydown", keyed);
      area.removeEventListener("keyup", released);
      area.removeEventListener("blur", blurred);
      control.current = null;
    };
  }, [board, mode, surface.value, bitmap.value]);

  useEffect(() => {
    if (cursor.value) return;
    if (ring.current) ring.current.hidden = true;
  }, [cursor.value === null]);

  const at = cursor.value;
  return (
    <div class={`canvas-window ${mode === "picture" ? "looks" : ""} tool-${mode === "picture" ? "hand" : tool.value}`} ref={frame}>
      <canvas
        ref={canvas}
        class="canvas-area"
        tabIndex={0}
        role="application"
        aria-roledescription={t("canvas")}
        aria-label={label}
        aria-describedby={describedBy}
      />
      <div class="brush-ring" ref={ring} hidden aria-hidden="true" />
      <span class="hidden-words" role="status">
        {at && t("cursorAt", { x: Math.floor(at.x), y: Math.floor(at.y) })}
      </span>
    </div>
  );
}

function cursorStart(view: View, picture: Size, window: Size): Point {
  const at = pictureAt(view, { x: window.width / 2, y: window.height / 2 });
  return {
    x: Math.min(picture.width - 0.5, Math.max(0.5, Math.floor(at.x) + 0.5)),
    y: Math.min(picture.height - 0.5, Math.max(0.5, Math.floor(at.y) + 0.5)),
  };
}

interface Reach {
  board: Board;
  mode: Mode;
  zoom: (factor: number) => void;
  fit: () => void;
  actual: () => void;
}

/** What a key does on the canvas; null where it does nothing there. */
export function actionOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): ((reach: Reach) => void) | null {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return ({ board }) => (event.shiftKey ? board.inside.redo() : board.inside.undo());
    return key === "y" ? ({ board }) => board.inside.redo() : null;
  }
  if (event.altKey) return null;
  const takes = (tool: "brush" | "eraser" | "hand" | "pipette") => ({ board, mode }: Reach) => {
    if (tool !== "pipette" || mode === "sketch" || mode === "sketch-mask") board.inside.tool.value = tool;
  };
  const sizes = (by: number) => ({ board }: Reach) => {
    const { brushSize } = board.inside;
    const next = brushSize.value * by;
    brushSize.value = Math.min(MOST_BRUSH, Math.max(1, by > 1 ? Math.ceil(next) : Math.floor(next)));
  };
  const actions: Record<string, (reach: Reach) => void> = {
    b: takes("brush"),
    e: takes("eraser"),
    h: takes("hand"),
    i: takes("pipette"),
    "[": sizes(1 / 1.2),
    "]": sizes(1.2),
    "+": ({ zoom }) => zoom(1.25),
    "=": ({ zoom }) => zoom(1.25),
    "-": ({ zoom }) => zoom(0.8),
    "0": ({ fit }) => fit(),
    "1": ({ actual }) => actual(),
    v: ({ board, mode }) => mode === "mask" && board.inside.invert(),
  };
  return actions[key] ?? null;
}

export const MOST_BRUSH = 1000;
