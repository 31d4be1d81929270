/** A picture to look at or to paint on, or a place to drop one. */

import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";

import { DropZone, FileButton } from "../pictures";
import { number } from "../texts";
import { Button, Notice, Progress } from "../ui";
import type { Board } from "./board";
import { Stage, type StageControl } from "./Stage";
import type { Mode } from "./surface";
import { t } from "./texts";
import { Tools } from "./Tools";
import "./canvas.css";

export interface PictureCanvasProps {
  board: Board;
  mode: Mode;
  /** What the picture is for, as in "img2img". */
  label: string;
}

export function PictureCanvas({ board, mode, label }: PictureCanvasProps) {
  const control = useRef<StageControl | null>(null);
  const scale = useSignal(1);
  const keys = useId();
  const size = board.size.value;
  const load = (file: Blob) => void board.load(file);
  return (
    <section class="picture-canvas" aria-label={label}>
      <DropZone label={label} onPicture={load} isEmpty={!size}>
        {size && (
          <>
            <Tools board={board} mode={mode} control={control} scale={scale.value}>
              <FileButton label={t("another")} onFile={load} />
              <Button icon="close" label={t("remove")} onClick={board.clear} />
            </Tools>
            <Stage
              board={board}
              mode={mode}
              label={t(mode === "picture" ? "lookAt" : "paintOn", { what: label })}
              describedBy={keys}
              control={control}
              onZoom={(now) => (scale.value = now)}
            />
            <p class="canvas-foot muted">
              <span>{`${number(size.width)} × ${number(size.height)}`}</span>
              <span id={keys}>{t(mode === "picture" ? "keysLook" : mode === "mask" ? "keysMask" : "keysPaint")}</span>
            </p>
          </>
        )}
      </DropZone>
      {board.busy.value && <Progress label={t("opening")} />}
      {board.problem.value && <Notice kind="error">{board.problem.value}</Notice>}
      {board.notice.value && <Notice>{board.notice.value}</Notice>}
    </section>
  );
}
