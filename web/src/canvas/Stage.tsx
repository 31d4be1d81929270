/** The window onto a board's picture: painting, looking around, and all of it by keyboard, too. */

import { effect, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import type { Board } from "./board";
import type { Point } from "./capsule";
import { attachGestures } from "./gestures";
import { attachKeys } from "./keys";
import { createScreen } from "./screen";
import { beginStroke, colourAt, type Mode, type Stroke } from "./surface";
import { t } from "./texts";
import { fitted, middleOf, panned, pictureAt, showing, zoomed, type Size, type View } from "./view";

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

  useLayoutEffect(() => {
    const box = frame.current;
    const area = canvas.current;
    const on = surface.value;
    const shown = bitmap.value;
    if (!box || !area || !on || !shown) return;
    const screen = createScreen(area);
    const isSpaceHeld = { now: false, used: false };
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

    const paintsNow = () => mode !== "picture" && tool.value !== "hand" && !isSpaceHeld.now;
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
        isSpaceHeld.used = true;
        look(panned(view, by, picture, window));
      },
      zoom: (factor, at) => zoom(factor, at),
      hover: (at) => {
        hovered = at;
        ringAt();
      },
      wheelZooms: () => document.activeElement === area,
    });

    const detachKeys = attachKeys(area, {
      cursor,
      isSpaceHeld,
      start: () => middleOf(view, picture, window),
      size: picture,
      scale: () => view.scale,
      paints: () => mode !== "picture" && tool.value !== "hand",
      begin,
      touched: board.inside.touched,
      ended: board.inside.strokeEnded,
      moved: (to) => look(showing(view, to, picture, window), isFitted),
      reach: { board, mode, zoom: (factor) => zoom(factor), fit: () => control.current?.fit(), actual: () => control.current?.actual() },
      redraw: ringAt,
    });

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
      cancelAnimationFrame(due);
      detach();
      resized.disconnect();
      board.inside.watchers.delete(watch);
      detachKeys();
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
