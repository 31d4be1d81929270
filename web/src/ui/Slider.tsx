import { useId, useState } from "preact/hooks";
import { t } from "./texts";

export interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  onChange: (value: number) => void;
  disabled?: boolean;
  hint?: string;
}

/**
 * A number in a range: a slider to pull and a field to write. A written number is taken when it is finished, into the
 * range.
 */
export function Slider({ label, value, min, max, step = 1, onChange, disabled, hint }: SliderProps) {
  const id = useId();
  const [written, setWritten] = useState<string | null>(null);
  const settle = () => {
    if (written === null) return;
    setWritten(null);
    const wanted = Number(written);
    if (written.trim() !== "" && Number.isFinite(wanted)) onChange(inRange(wanted, min, max));
  };
  return (
    <div class="field slider">
      <div class="label-line">
        <label for={id}>{label}</label>
        <input
          type="number"
          aria-label={t("value", { label })}
          value={written ?? String(value)}
          {...{ min, max, step, disabled }}
          onInput={(event) => setWritten(event.currentTarget.value)}
          onBlur={settle}
          onKeyDown={(event) => event.key === "Enter" && settle()}
          onChange={settle}
        />
      </div>
      <input
        id={id}
        type="range"
        value={value}
        {...{ min, max, step, disabled }}
        style={{ "--filled": `${(100 * (value - min)) / (max - min || 1)}%` }}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
      {hint && <p class="hint">{hint}</p>}
    </div>
  );
}

/** The number in `min`..`max` that is nearest to `value`. */
export function inRange(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
