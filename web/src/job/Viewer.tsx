import { useEffect, useRef, useState } from "preact/hooks";
import { percent } from "../texts";
import { Button, Dialog, Picture } from "../ui";
import { t } from "./texts";
import { fitted, moved, zoomed, type Size, type View } from "./zoom";

export interface ViewerProps {
  src: string;
  alt: string;
  size: Size;
  renew: () => Promise<string | null>;
  onClose: () => void;
  /** goes to another picture of the job; undefined where there is none */
  onStep?: ((by: 1 | -1) => void) | undefined;
}

const STEP = 80;

/** A picture as large as the window: wheel, pinch, buttons and keys (+ − 0 1, arrows) zoom and move it. */
export function Viewer({ src, alt, size, renew, onClose, onStep }: ViewerProps) {
  const box = useRef<HTMLDivElement>(null);
  const fit = () => fitted(size, boxSize(box.current));
  const [view, setView] = useState<View | null>(null);
  const now = view ?? { scale: 1, x: 0, y: 0 };
  useEffect(() => setView(fit()), [src]);
  useEffect(() => {
    const stage = box.current;
    // Preact adds wheel listeners as passive, and then the page behind would scroll.
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      setView((before) => before && zoomed(before, Math.exp(-event.deltaY / 400), fromCentre(stage, event)));
    };
    stage?.addEventListener("wheel", wheel, { passive: false });
    stage?.focus();
    return () => stage?.removeEventListener("wheel", wheel);
  }, []);
  const zoom = (factor: number) => setView(zoomed(now, factor));
  const move = (x: number, y: number) => setView(moved(now, { x, y }, size, boxSize(box.current)));
  const pointers = usePointers(
    (by) => move(by.x, by.y),
    (factor, at) => setView(zoomed(now, factor, at)),
    box,
  );

  const keys: Record<string, () => void> = {
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    "0": () => setView(fit()),
    "1": () => setView({ scale: 1, x: 0, y: 0 }),
    ArrowUp: () => move(0, STEP),
    ArrowDown: () => move(0, -STEP),
    ArrowLeft: () => move(STEP, 0),
    ArrowRight: () => move(-STEP, 0),
    PageDown: () => onStep?.(1),
    PageUp: () => onStep?.(-1),
  };

  return (
    <Dialog title={alt} wide onClose={onClose}>
      <div class="viewer-tools">
        <Button icon="minus" label={t("zoomOut")} onClick={() => zoom(0.8)} />
        <output>{percent(now.scale)}</output>
        <Button icon="plus" label={t("zoomIn")} onClick={() => zoom(1.25)} />
        <Button icon="fit" label={t("fit")} onClick={() => setView(fit())} />
        <Button onClick={() => setView({ scale: 1, x: 0, y: 0 })}>{percent(1)}</Button>
        {onStep && <Button icon="left" label={t("before")} onClick={() => onStep(-1)} />}
        {onStep && <Button icon="right" label={t("next")} onClick={() => onStep(1)} />}
      </div>
      <div
        ref={box}
        class="viewer"
        role="application"
        tabIndex={0}
        aria-label={t("viewerKeys")}
        onKeyDown={(event) => {
          const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
          if (!act) return;
          event.preventDefault();
          act();
        }}
        onDblClick={() => setView(now.scale === 1 ? fit() : { scale: 1, x: 0, y: 0 })}
        {...pointers}
      >
        <div style={{ transform: `translate(-50%, -50%) translate(${now.x}px, ${now.y}px) scale(${now.scale})` }}>
          <Picture src={src} alt={alt} width={size.width} height={size.height} renew={renew} draggable={false} />
        </div>
      </div>
    </Dialog>
  );
}

function boxSize(box: HTMLElement | null): Size {
  return { width: box?.clientWidth ?? 1, height: box?.clientHeight ?? 1 };
}

function fromCentre(box: HTMLElement | null, at: { clientX: number; clientY: number }) {
  const frame = box?.getBoundingClientRect();
  if (!frame) return { x: 0, y: 0 };
  return { x: at.clientX - frame.left - frame.width / 2, y: at.clientY - frame.top - frame.height / 2 };
}

type Point = { x: number; y: number };

/** One pointer moves, two pinch. */
function usePointers(
  onMove: (by: Point) => void,
  onPinch: (factor: number, at: Point) => void,
  box: { current: HTMLDivElement | null },
) {
  const down = useRef(new Map<number, PointerEvent>());
  const lift = (event: PointerEvent) => void down.current.delete(event.pointerId);
  return {
    onPointerDown: (event: PointerEvent) => {
      box.current?.setPointerCapture(event.pointerId);
      down.current.set(event.pointerId, event);
    },
    onPointerMove: (event: PointerEvent) => {
      const before = down.current.get(event.pointerId);
      if (!before) return;
      const other = [...down.current.values()].find(({ pointerId }) => pointerId !== event.pointerId);
      down.current.set(event.pointerId, event);
      if (!other) return onMove({ x: event.clientX - before.clientX, y: event.clientY - before.clientY });
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      onPinch(apart(event, other) / Math.max(1, apart(before, other)), fromCentre(box.current, middle));
    },
    onPointerUp: lift,
    onPointerCancel: lift,
  };
}

function apart(one: PointerEvent, other: PointerEvent): number {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}
