import { Labelled, type LabelledProps } from "./Field";

export interface Option {
  value: string;
  label: string;
  disabled?: boolean;
}

export interface SelectProps extends LabelledProps {
  value: string;
  options: readonly (Option | string)[];
  onChange: (value: string) => void;
  disabled?: boolean;
}

/** A choice of one, with the browser's own list. A plain string is value and label in one. */
export function Select({ value, options, onChange, disabled, ...labelled }: SelectProps) {
  return (
    <Labelled {...labelled}>
      {(ids) => (
        <select {...ids} value={value} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map((one) => {
            const option = typeof one === "string" ? { value: one, label: one } : one;
            return (
              <option
                key={option.value}
                value={option.value}
                disabled={option.disabled}
                selected={option.value === value}
              >
                {option.label}
              </option>
            );
          })}
        </select>
      )}
    </Labelled>
  );
}
