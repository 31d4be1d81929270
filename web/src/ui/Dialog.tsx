import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "./Button";
import { t } from "./texts";
import "./dialog.css";

export interface DialogProps {
  title: string;
  /** left out, the dialog cannot be closed without its answer */
  onClose?: () => void;
  /** for pictures: as large as the window */
  wide?: boolean;
  children: ComponentChildren;
}

/**
 * A modal dialog: shown as long as it is rendered. Escape and a click beside it close it; the focus comes back after.
 */
export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    const dialog = box.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={() => {
        // A browser closes it by itself when Escape is pressed twice; one that needs its answer comes back.
        if (onClose) onClose();
        else if (box.current?.isConnected) box.current.showModal();
      }}
      onClick={(event) => event.target === box.current && onClose?.()}
    >
      <div class="dialog-box">
        <header>
          <h2 id={id}>{title}</h2>
          {onClose && <Button kind="quiet" icon="close" label={t("close")} onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface DialogButtonsProps {
  /** words instead of Cancel */
  cancel?: string | undefined;
  /** the focus is on Cancel when the dialog opens */
  focusCancel?: boolean;
  onCancel: () => void;
  /** the button that does what the dialog is for */
  children: ComponentChildren;
}

/** The buttons at the end of a dialog. */
export function DialogButtons({ cancel = t("cancel"), focusCancel = false, onCancel, children }: DialogButtonsProps) {
  return (
    <div class="dialog-buttons">
      <Button autofocus={focusCancel} onClick={onCancel}>
        {cancel}
      </Button>
      {children}
    </div>
  );
}
