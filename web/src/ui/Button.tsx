import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icons";
import "./button.css";

export interface ButtonProps {
  /** what a person reads; a button with an icon only has `label` instead */
  children?: ComponentChildren;
  /** words for a button that shows an icon only; also its tooltip */
  label?: string;
  icon?: IconName;
  kind?: "primary" | "secondary" | "danger" | "quiet";
  type?: "button" | "submit";
  /** the work goes on: the button stays where it is, and a second click does nothing */
  busy?: boolean;
  disabled?: boolean;
  /** for a switch: whether it is on */
  pressed?: boolean;
  expanded?: boolean;
  class?: string;
  id?: string;
  title?: string;
  autofocus?: boolean;
  describedBy?: string;
  onClick?: (event: MouseEvent) => void;
}

export function Button(props: ButtonProps) {
  const { children, label, icon, kind = "secondary", type = "button", busy = false } = props;
  const bare = children === undefined;
  return (
    <button
      id={props.id}
      type={type}
      class={["button", kind, bare && "bare", busy && "busy", props.class].filter(Boolean).join(" ")}
      aria-label={label}
      title={props.title ?? (bare ? label : undefined)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      aria-describedby={props.describedBy}
      disabled={props.disabled}
      autofocus={props.autofocus}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else props.onClick?.(event);
      }}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink(props: { href: string; icon?: IconName; children: ComponentChildren; download?: string }) {
  return (
    <a class="button secondary" href={props.href} download={props.download}>
      {props.icon && <Icon name={props.icon} />}
      {props.children}
    </a>
  );
}
