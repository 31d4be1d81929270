import { signal } from "@preact/signals";
import { Button } from "./Button";
import { t } from "./texts";
import "./toasts.css";

export interface ToastAction {
  label: string;
  run: () => void;
}

interface Shown {
  id: number;
  text: string;
  kind: "info" | "error";
  action: ToastAction | undefined;
}

const shown = signal<Shown[]>([]);
let last = 0;
const STAYS = 6_000;

/**
 * Says something in passing at the page's edge. An error stays until it is dismissed, and so does what offers an
 * action; the rest goes after some seconds. Returns how to take it away.
 */
export function toast(text: string, more: { kind?: "info" | "error"; action?: ToastAction } = {}): () => void {
  const one: Shown = { id: ++last, text, kind: more.kind ?? "info", action: more.action };
  shown.value = [...shown.value.slice(-3), one];
  const gone = () => {
    shown.value = shown.value.filter((other) => other.id !== one.id);
  };
  if (one.kind === "info" && !one.action) setTimeout(gone, STAYS);
  return gone;
}

/** Where toasts are shown: once, in the frame. */
export function Toasts() {
  const gone = (id: number) => {
    shown.value = shown.value.filter((other) => other.id !== id);
  };
  return (
    <section class="toasts" aria-label={t("notes")}>
      <div role="status" aria-live="polite">
        {shown.value.map((one) => (
          <div key={one.id} class={`toast ${one.kind}`}>
            <p>{one.text}</p>
            {one.action && (
              <Button
                onClick={() => {
                  gone(one.id);
                  one.action?.run();
                }}
              >
                {one.action.label}
              </Button>
            )}
            <Button kind="quiet" icon="close" label={t("dismiss")} onClick={() => gone(one.id)} />
          </div>
        ))}
      </div>
    </section>
  );
}
