import "./progress.css";

/** A bar from 0 to 1; without a value it moves, for work of which nobody knows how far it is. */
export function Progress({ label, value }: { label: string; value?: number | null | undefined }) {
  const known = typeof value === "number";
  return (
    <div
      class={known ? "progress" : "progress unknown"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(value * 100) : undefined}
    >
      <div style={known ? { transform: `scaleX(${Math.min(1, Math.max(0, value))})` } : {}} />
    </div>
  );
}
