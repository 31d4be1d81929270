/** Where a picture is taken: by drop, by paste, and by the file dialog. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { Icon } from "../ui";
import { pictureOf, takesPaste } from "./incoming";
import { t } from "./texts";
import "./pictures.css";

export interface DropZoneProps {
  /** What the picture is for. */
  label: string;
  onPicture: (file: File) => void;
  /** Whether the zone shows its invitation in the place of its content. */
  isEmpty: boolean;
  children?: ComponentChildren;
  small?: boolean;
}

const ACCEPTED = "image/png,image/jpeg,image/webp,image/*";

export function DropZone({ label, onPicture, isEmpty, children, small }: DropZoneProps) {
  const zone = useRef<HTMLDivElement>(null);
  const take = useRef(onPicture);
  take.current = onPicture;
  const [isOver, setOver] = useState(false);
  useEffect(() => (zone.current ? takesPaste(zone.current, (file) => take.current(file)) : undefined), []);

  const over = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    setOver(true);
  };
  const dropped = (event: DragEvent) => {
    setOver(false);
    const file = pictureOf(event.dataTransfer);
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    onPicture(file);
  };
  return (
    <div
      ref={zone}
      class={`drop-zone ${isOver ? "over" : ""} ${small ? "small" : ""}`}
      onDragOver={over}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
    >
      {isEmpty ? <Invitation label={label} onPicture={onPicture} /> : children}
    </div>
  );
}

function Invitation({ label, onPicture }: { label: string; onPicture: (file: File) => void }) {
  const id = useId();
  return (
    <div class="drop-invitation">
      <Icon name="upload" size={28} />
      <span>{t("drop")}</span>
      <span class="muted">{t("or")}</span>
      <FileInput id={id} onFile={onPicture} label={t("chooseFor", { what: label })} />
      <label for={id} class="button secondary">
        {t("click")}
      </label>
    </div>
  );
}

/** A button that opens the file dialog. */
export function FileButton({ label, onFile, accept }: { label: string; onFile: (file: File) => void; accept?: string }) {
  const id = useId();
  return (
    <span class="file-button">
      <FileInput id={id} label={label} onFile={onFile} accept={accept} />
      <label for={id} class="button secondary bare" title={label}>
        <Icon name="upload" />
      </label>
    </span>
  );
}

interface FileInputProps {
  id: string;
  label: string;
  onFile: (file: File) => void;
  accept?: string | undefined;
}

function FileInput({ id, label, onFile, accept = ACCEPTED }: FileInputProps) {
  return (
    <input
      id={id}
      type="file"
      class="hidden-words"
      aria-label={label}
      accept={accept}
      onChange={(event) => {
        const file = event.currentTarget.files?.[0];
        // The same file may be chosen again.
        event.currentTarget.value = "";
        if (file) onFile(file);
      }}
    />
  );
}
