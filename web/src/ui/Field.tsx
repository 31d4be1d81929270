import type { ComponentChildren, Ref } from "preact";
import { useId } from "preact/hooks";
import "./field.css";

/** What a control inside `Labelled` needs to be joined to its label, hint and error. */
export interface Ids {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

export interface LabelledProps {
  label: string;
  hint?: string | undefined;
  error?: string | null | undefined;
  /** the label is read by screen readers only */
  hideLabel?: boolean;
  class?: string;
  /** what stands at the end of the label's line */
  beside?: ComponentChildren;
}

/** A label with its control, hint and error, joined for screen readers. */
export function Labelled(props: LabelledProps & { children: (ids: Ids) => ComponentChildren }) {
  const id = useId();
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class={`field ${props.class ?? ""}`}>
      <div class={props.hideLabel && !props.beside ? "hidden-words" : "label-line"}>
        <label for={id} class={props.hideLabel ? "hidden-words" : ""}>
          {props.label}
        </label>
        {props.beside}
      </div>
      {props.children({
        id,
        "aria-describedby": described || undefined,
        "aria-invalid": props.error ? true : undefined,
      })}
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
      {props.error && (
        <p class="error" id={`${id}-error`}>
          {props.error}
        </p>
      )}
    </div>
  );
}

interface Writable extends LabelledProps {
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  disabled?: boolean;
  required?: boolean;
  autofocus?: boolean;
  maxLength?: number;
  spellcheck?: boolean;
  onKeyDown?: (event: KeyboardEvent) => void;
  onBlur?: () => void;
}

export interface FieldProps extends Writable {
  type?: "text" | "password" | "search" | "url" | "number" | "date" | "time" | "datetime-local" | "color";
  autocomplete?: string;
  inputMode?: "text" | "numeric" | "decimal" | "search" | "url";
  min?: string | number;
  max?: string | number;
  step?: string | number;
  list?: string;
  inputRef?: Ref<HTMLInputElement>;
}

/** A field of one line. `onChange` is called with every letter. */
export function Field(props: FieldProps) {
  const { label, hint, error, hideLabel, class: outer, beside, onChange, inputRef, type = "text", ...rest } = props;
  return (
    <Labelled {...{ label, hint, error, hideLabel, class: outer, beside }}>
      {(ids) => (
        // Preact's types have an own set of attributes for each type; this one is for all of them.
        <input
          {...ids}
          {...rest}
          type={type as "text"}
          ref={inputRef}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

export interface TextAreaProps extends Writable {
  rows?: number;
  inputRef?: Ref<HTMLTextAreaElement>;
}

/** A field of several lines. */
export function TextArea(props: TextAreaProps) {
  const { label, hint, error, hideLabel, class: outer, beside, onChange, inputRef, rows = 3, ...rest } = props;
  return (
    <Labelled {...{ label, hint, error, hideLabel, class: outer, beside }}>
      {(ids) => (
        <textarea
          {...ids}
          {...rest}
          rows={rows}
          ref={inputRef}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}
