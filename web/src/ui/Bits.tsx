import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icons";
import { t } from "./texts";
import "./bits.css";

/** A short word in a frame, such as a filter; with `onRemove` it has a button that takes it away. */
export function Chip({ children, onRemove }: { children: string; onRemove?: () => void }) {
  return (
    <span class="chip">
      {children}
      {onRemove && (
        <button type="button" aria-label={t("remove", { what: children })} onClick={onRemove}>
          <Icon name="close" size={14} />
        </button>
      )}
    </span>
  );
}

/** What stands where a list has nothing. */
export function Empty({ icon = "picture", children }: { icon?: IconName; children: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} size={32} />
      <div>{children}</div>
    </div>
  );
}

/** Words that stay where they concern something: what went wrong and what to do, or what is good to know. */
export function Notice({
  kind = "info",
  children,
}: {
  kind?: "info" | "warning" | "error";
  children: ComponentChildren;
}) {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : undefined}>
      <Icon name={kind === "info" ? "info" : "warning"} />
      <div>{children}</div>
    </div>
  );
}

/** Words for screen readers alone. */
export function HiddenWords({ children }: { children: ComponentChildren }) {
  return <span class="hidden-words">{children}</span>;
}
