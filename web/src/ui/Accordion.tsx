import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { Icon } from "./icons";
import "./accordion.css";

export interface AccordionProps {
  label: string;
  /** whether it is open at first */
  open?: boolean;
  /** with these two it has a checkbox before its name (Hires. fix, Refiner), and opens when it is checked */
  checked?: boolean;
  onCheck?: (checked: boolean) => void;
  /** short words at the end of its line, such as how many are chosen */
  note?: string;
  /** when given, the parent decides whether it is open */
  shown?: boolean;
  onToggle?: (open: boolean) => void;
  children: ComponentChildren;
}

export function Accordion({ label, open = false, checked, onCheck, note, shown, onToggle, children }: AccordionProps) {
  const id = useId();
  const [own, setOwn] = useState(open || checked === true);
  const isOpen = shown ?? own;
  const toggle = (next: boolean) => {
    setOwn(next);
    onToggle?.(next);
  };
  return (
    <section class="accordion">
      <div class="accordion-line">
        {onCheck && (
          <input
            type="checkbox"
            aria-label={label}
            checked={checked}
            onChange={(event) => {
              onCheck(event.currentTarget.checked);
              toggle(event.currentTarget.checked);
            }}
          />
        )}
        <button type="button" aria-expanded={isOpen} aria-controls={id} onClick={() => toggle(!isOpen)}>
          <span>{label}</span>
          {note && <span class="note">{note}</span>}
          <Icon name={isOpen ? "down" : "left"} />
        </button>
      </div>
      <div id={id} class="accordion-body" hidden={!isOpen}>
        {children}
      </div>
    </section>
  );
}
