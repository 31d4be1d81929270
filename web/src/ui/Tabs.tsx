import { useEffect, useId } from "preact/hooks";
import type { ComponentChildren } from "preact";
import "./tabs.css";

export interface Tab {
  id: string;
  label: string;
  disabled?: boolean;
}

export interface TabsProps {
  /** what the row of tabs is for, for screen readers */
  label: string;
  tabs: readonly Tab[];
  chosen: string;
  onChoose: (id: string) => void;
  /** the page of the chosen tab; `shows` keeps pages that stay alive while they are not seen */
  children?: ComponentChildren;
  shows?: (id: string) => ComponentChildren;
}

/**
 * Tabs with the arrow keys, Home and End. With `shows` every page stays in the document, and only the chosen is seen.
 */
export function Tabs({ label, tabs, chosen, onChoose, children, shows }: TabsProps) {
  const base = useId();
  // In a narrow window the row of tabs scrolls; the chosen one is brought to its middle. `scrollIntoView` would scroll
  // the page as well.
  useEffect(() => {
    const tab = document.getElementById(`${base}-${chosen}`);
    const row = tab?.parentElement;
    if (!tab || !row) return;
    const [at, within] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
    row.scrollLeft += at.left + at.width / 2 - (within.left + within.width / 2);
  }, [chosen]);
  const move = (event: KeyboardEvent) => {
    const able = tabs.filter((tab) => !tab.disabled);
    const next = neighbour(
      event.key,
      able.findIndex((tab) => tab.id === chosen),
      able.length,
    );
    const tab = next === null ? undefined : able[next];
    if (!tab) return;
    event.preventDefault();
    onChoose(tab.id);
    document.getElementById(`${base}-${tab.id}`)?.focus();
  };
  const panel = (id: string, content: ComponentChildren) => (
    <div
      key={id}
      id={`${base}-${id}-panel`}
      role="tabpanel"
      aria-labelledby={`${base}-${id}`}
      class="tab-panel"
      hidden={id !== chosen}
    >
      {content}
    </div>
  );
  return (
    <div class="tabs">
      <div role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`${base}-${tab.id}`}
            type="button"
            role="tab"
            aria-selected={tab.id === chosen}
            aria-controls={shows || tab.id === chosen ? `${base}-${tab.id}-panel` : undefined}
            tabIndex={tab.id === chosen ? 0 : -1}
            disabled={tab.disabled}
            onClick={() => onChoose(tab.id)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      {shows ? tabs.map((tab) => panel(tab.id, shows(tab.id))) : panel(chosen, children)}
    </div>
  );
}

/** The index of the tab that a key leads to; null when the key leads nowhere. */
export function neighbour(key: string, now: number, count: number): number | null {
  if (count === 0) return null;
  if (key === "ArrowRight") return (now + 1) % count;
  if (key === "ArrowLeft") return (now - 1 + count) % count;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}
