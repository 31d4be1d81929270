/** Controls that are joined to a field of a form. Each is rendered anew by its own field alone. */
import { Checkbox, Radios, Select, Slider, type Option } from "../ui";
import { numberField, type NamesOf } from "./fields";
import type { State } from "./forms";
import { label } from "./labelTexts";

interface Bound<T> {
  state: State;
  name: NamesOf<T>;
}

type NumberName = Exclude<NamesOf<number>, "seed" | "subseed">;

export function NumberInput({ state, name, disabled }: Bound<number> & { name: NumberName; disabled?: boolean }) {
  const { min, max, step } = numberField(name);
  const field = state.fields[name];
  return (
    <Slider
      label={label(name)}
      value={field.value}
      {...{ min, max, step, disabled }}
      onChange={(value) => (field.value = value)}
    />
  );
}

/** A choice of one text. A value that the list lacks, such as a sampler of another program, stays chosen. */
export function TextChoice(props: Bound<string> & { options: readonly (Option | string)[]; class?: string }) {
  const { state, name, options } = props;
  const field = state.fields[name];
  return (
    <Select
      label={label(name)}
      class={props.class ?? ""}
      value={field.value}
      options={withValue(options, field.value)}
      onChange={(value) => (field.value = value)}
    />
  );
}

export function withValue(options: readonly (Option | string)[], value: string): readonly (Option | string)[] {
  const known = options.some((option) => (typeof option === "string" ? option : option.value) === value);
  return known ? options : [...options, value];
}

export function Switch({ state, name }: Bound<boolean> & { name: Exclude<NamesOf<boolean>, "resize_by"> }) {
  const field = state.fields[name];
  return <Checkbox label={label(name)} checked={field.value} onChange={(checked) => (field.value = checked)} />;
}

/** A choice among a few numbers, all in sight. */
export function NumberChoice({ state, name, labels }: Bound<number> & { name: NumberName; labels: readonly string[] }) {
  const field = state.fields[name];
  return (
    <Radios
      label={label(name)}
      value={String(field.value)}
      options={labels.map((text, value) => ({ value: String(value), label: text }))}
      onChange={(value) => (field.value = Number(value))}
    />
  );
}
