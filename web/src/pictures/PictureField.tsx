/** A single picture as a field: dropped, pasted or chosen, seen small, and taken away again. */

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useId, useState } from "preact/hooks";

import { number } from "../texts";
import { Button, Notice } from "../ui";
import { DropZone, FileButton } from "./DropZone";
import { t } from "./texts";
import { checked } from "./checked";

export interface PictureFieldProps {
  label: string;
  /** The file as it came; null without one. */
  value: Signal<Blob | null>;
}

export function PictureField({ label, value }: PictureFieldProps) {
  const id = useId();
  const problem = useSignal<string | null>(null);
  const take = async (file: Blob) => {
    const { fault, blob } = await checked(file);
    problem.value = fault;
    if (blob) value.value = blob;
  };
  return (
    <div class="picture-field" role="group" aria-labelledby={id}>
      <span id={id} class="picture-label">
        {label}
      </span>
      <DropZone label={label} onPicture={(file) => void take(file)} isEmpty={!value.value} small>
        {value.value && <Preview blob={value.value} label={label} onFile={(file) => void take(file)} onRemove={() => (value.value = null)} />}
      </DropZone>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
    </div>
  );
}

interface PreviewProps {
  blob: Blob;
  label: string;
  onFile: (file: File) => void;
  onRemove: () => void;
}

function Preview({ blob, label, onFile, onRemove }: PreviewProps) {
  const [address, setAddress] = useState<string | null>(null);
  const [size, setSize] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return (
    <div class="picture-preview">
      {address && (
        <img
          src={address}
          alt={label}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setSize(`${number(naturalWidth)} × ${number(naturalHeight)}`)}
        />
      )}
      <div class="picture-preview-foot">
        <span class="muted">{size}</span>
        <FileButton label={t("another", { what: label })} onFile={onFile} />
        <Button icon="close" label={t("remove", { what: label })} onClick={onRemove} />
      </div>
    </div>
  );
}
