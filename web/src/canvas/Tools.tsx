/** The tools of a board: what paints, how large, in which colour; steps back; looking closer. */

import type { ComponentChildren } from "preact";

import { number } from "../texts";
import { Button, Checkbox, Field, Slider, type IconName } from "../ui";
import type { Board, Tool } from "./board";
import { colourOf, hexOf } from "./shapes";
import { MOST_BRUSH } from "./shortcuts";
import type { StageControl } from "./Stage";
import type { Mode } from "./surface";
import { t } from "./texts";

export interface ToolsProps {
  board: Board;
  mode: Mode;
  control: { current: StageControl | null };
  scale: number;
  /** What stands at the end of the row: another picture, none. */
  children: ComponentChildren;
}

const TOOLS: readonly [Tool, IconName][] = [
  ["brush", "brush"],
  ["eraser", "eraser"],
  ["pipette", "pipette"],
  ["hand", "hand"],
];

/** The tools that a mode has. */
export function toolsOf(mode: Mode): readonly Tool[] {
  if (mode === "picture") return [];
  return TOOLS.map(([tool]) => tool).filter((tool) => tool !== "pipette" || mode !== "mask");
}

export function Tools({ board, mode, control, scale, children }: ToolsProps) {
  const { tool, canUndo, canRedo, undo, redo, invert, wipe } = board.inside;
  const has = toolsOf(mode);
  return (
    <div class="canvas-tools">
      <div class="canvas-buttons" role="toolbar" aria-label={t("tools")}>
        {has.length > 0 && (
          <div class="canvas-group">
            {TOOLS.filter(([one]) => has.includes(one)).map(([one, icon]) => (
              <Button key={one} icon={icon} label={t(one)} pressed={tool.value === one} onClick={() => (tool.value = one)} />
            ))}
          </div>
        )}
        {has.length > 0 && (
          <div class="canvas-group">
            <Button icon="undo" label={t("undo")} disabled={!canUndo.value} onClick={undo} />
            <Button icon="redo" label={t("redo")} disabled={!canRedo.value} onClick={redo} />
            {mode === "mask" && <Button icon="invert" label={t("invert")} onClick={invert} />}
            <Button icon="trash" label={t(mode === "mask" ? "clearMask" : "clearPaint")} onClick={wipe} />
          </div>
        )}
        <div class="canvas-group">
          <Button icon="minus" label={t("zoomOut")} onClick={() => control.current?.zoom(0.8)} />
          <Button title={t("actualSize")} class="canvas-scale" onClick={() => control.current?.actual()}>
            {`${number(scale * 100, 0)} %`}
          </Button>
          <Button icon="plus" label={t("zoomIn")} onClick={() => control.current?.zoom(1.25)} />
          <Button icon="fit" label={t("fit")} onClick={() => control.current?.fit()} />
        </div>
        <div class="canvas-group canvas-end">{children}</div>
      </div>
      {has.length > 0 && <BrushTools board={board} mode={mode} />}
    </div>
  );
}

function BrushTools({ board, mode }: { board: Board; mode: Mode }) {
  const { brushSize, colour, opacity, isSoft } = board.inside;
  const paints = mode === "sketch" || mode === "sketch-mask";
  return (
    <div class="canvas-brush">
      <Slider label={t("brushSize")} value={brushSize.value} min={1} max={MOST_BRUSH} onChange={(size) => (brushSize.value = Math.round(size))} />
      {paints && (
        <>
          <Slider
            label={t("opacity")}
            value={Math.round(opacity.value * 100)}
            min={1}
            max={100}
            onChange={(share) => (opacity.value = share / 100)}
          />
          <Field label={t("colour")} type="color" value={hexOf(colour.value)} onChange={(hex) => (colour.value = colourOf(hex))} />
          {mode === "sketch" && <Checkbox label={t("softEdge")} checked={isSoft.value} onChange={(soft) => (isSoft.value = soft)} />}
        </>
      )}
    </div>
  );
}
