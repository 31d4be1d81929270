import type { ComponentChildren } from "preact";
import { Notice } from "./Bits";
import { Button } from "./Button";
import { Dialog, DialogButtons } from "./Dialog";
import { t } from "./texts";

export interface ConfirmDeletionProps {
  title: string;
  /** what is lost with it */
  children: ComponentChildren;
  busy: boolean;
  /** why the last try failed, in words */
  problem?: string | null;
  /** the words of the button that deletes nothing, instead of Cancel */
  keep?: string;
  onDelete: () => void;
  onClose: () => void;
}

/** Asks once before something is deleted. The focus is on the button that deletes nothing. */
export function ConfirmDeletion({ title, children, busy, problem, keep, onDelete, onClose }: ConfirmDeletionProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      {problem && <Notice kind="error">{problem}</Notice>}
      <DialogButtons cancel={keep} focusCancel onCancel={onClose}>
        <Button kind="danger" icon="trash" busy={busy} onClick={onDelete}>
          {t("delete")}
        </Button>
      </DialogButtons>
    </Dialog>
  );
}
