import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { Icon, TextArea } from "../ui";
import { completed, offered, type Candidate, type Offer } from "./completion";
import type { State } from "./forms";
import { label } from "./labelTexts";
import { weighed, type Edited } from "./prompt";
import { files } from "./shelf";
import { t } from "./texts";

export interface PromptBoxProps {
  state: State;
  name: "prompt" | "negative_prompt" | "hr_prompt" | "hr_negative_prompt";
  rows?: number;
}

/** A prompt: Ctrl+Up and Ctrl+Down weigh, and what is begun is completed from the shelf. */
export function PromptBox({ state, name, rows = 3 }: PromptBoxProps) {
  const box = useRef<HTMLTextAreaElement>(null);
  const offer = useSignal<Offer | null>(null);
  const active = useSignal(-1);
  const list = useId();
  const field = state.fields[name];
  const isOpen = offer.value !== null;

  const look = (text: string) => {
    offer.value = offered(text, box.current?.selectionStart ?? text.length, files.value ?? []);
    active.value = -1;
  };
  const close = () => {
    offer.value = null;
  };
  const take = (candidate: Candidate | undefined) => {
    if (!candidate || !offer.value || !box.current) return;
    write(box.current, completed(field.value, box.current.selectionStart, offer.value.start, candidate));
    close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!box.current) return;
    const isVertical = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (isVertical && (event.ctrlKey || event.metaKey)) {
      const { selectionStart: start, selectionEnd: end } = box.current;
      const next = weighed({ text: field.value, start, end }, event.key === "ArrowUp");
      event.preventDefault();
      if (next) write(box.current, next);
      close();
      return;
    }
    if (!offer.value || event.ctrlKey || event.metaKey || event.altKey) return;
    const count = offer.value.candidates.length;
    if (isVertical) {
      active.value =
        (active.value +
          (event.key === "ArrowDown" ? 1 : -1) +
          count +
          (active.value < 0 ? Number(event.key === "ArrowUp") : 0)) %
        count;
    } else if (event.key === "Tab" && !event.shiftKey) {
      take(offer.value.candidates[Math.max(active.value, 0)]);
    } else if (event.key === "Enter" && active.value >= 0) {
      take(offer.value.candidates[active.value]);
    } else if (event.key === "Escape") {
      close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="prompt-box">
      <TextArea
        label={label(name)}
        hideLabel={name === "prompt" || name === "negative_prompt"}
        placeholder={name === "prompt" || name === "negative_prompt" ? t(`here_${name}`) : t("here_hr_prompt")}
        value={field.value}
        rows={rows}
        spellcheck={false}
        inputRef={box}
        onChange={(text) => {
          field.value = text;
          look(text);
        }}
        onKeyDown={onKeyDown}
        onBlur={close}
        {...{
          "aria-autocomplete": "list",
          "aria-controls": isOpen ? list : undefined,
          "aria-activedescendant": active.value >= 0 && isOpen ? `${list}-${active.value}` : undefined,
        }}
      />
      {offer.value && (
        <ul id={list} role="listbox" aria-label={t("completions")} class="completions">
          {offer.value.candidates.map((candidate, index) => (
            <li
              key={candidate.insert}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === active.value}
              // Before the box loses its focus, which would close the list.
              onMouseDown={(event) => {
                event.preventDefault();
                take(candidate);
              }}
            >
              <span class="completion-name">{candidate.label}</span>
              {candidate.detail && <span class="muted">{candidate.detail}</span>}
              <span class="completion-kind">
                <Icon name={candidate.kind === "word" ? "star" : "plus"} size={13} />
                {t(`kind_${candidate.kind}`)}
              </span>
            </li>
          ))}
        </ul>
      )}
      <span class="hidden-words" role="status">
        {isOpen ? t("completionCount", { n: offer.value?.candidates.length ?? 0 }) : ""}
      </span>
    </div>
  );
}

/** Writes what changed as if it was typed, so that the browser's undo takes it back. */
function write(box: HTMLTextAreaElement, { text, start, end }: Edited): void {
  const before = box.value;
  let same = 0;
  while (same < text.length && same < before.length && text[same] === before[same]) same++;
  let tail = 0;
  const most = Math.min(text.length, before.length) - same;
  while (tail < most && text.at(-1 - tail) === before.at(-1 - tail)) tail++;
  box.focus();
  box.setSelectionRange(same, before.length - tail);
  const put = text.slice(same, text.length - tail);
  // The one way to keep the browser's undo; it is deprecated without a successor.
  const isWritten = put === "" ? document.execCommand("delete") : document.execCommand("insertText", false, put);
  if (!isWritten && before !== text) {
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
  box.setSelectionRange(start, end);
}
