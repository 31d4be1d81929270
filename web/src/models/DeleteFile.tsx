/** Asks once before a model file is deleted. */

import { useSignal } from "@preact/signals";

import { api, explain, type Checkpoint } from "../api";
import { Button, Dialog, Notice, toast } from "../ui";
import { files, idOf } from "./shelf";
import { t } from "./texts";

export function DeleteFile({ file, onClose }: { file: Checkpoint; onClose: () => void }) {
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const remove = async () => {
    isBusy.value = true;
    problem.value = null;
    try {
      await api.checkpoints.remove(file.kind, file.name);
      files.value = (files.value ?? []).filter((one) => idOf(one) !== idOf(file));
      toast(t("deleted", { name: file.name }));
      onClose();
    } catch (fault) {
      problem.value = explain(fault);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={t("deleteOf", { name: file.name })} onClose={onClose}>
      <div class="stack">
        <p>{t(file.status === "active" ? "deleteSure" : "deleteOpen")}</p>
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <div class="model-buttons">
          <Button autofocus onClick={onClose}>
            {t("cancel")}
          </Button>
          <Button kind="danger" icon="trash" busy={isBusy.value} onClick={() => void remove()}>
            {t("delete")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
