/** Asks once before a model file is deleted. */

import { api, useAttempt, type Checkpoint } from "../api";
import { ConfirmDeletion, toast } from "../ui";
import { files, idOf } from "./shelf";
import { t } from "./texts";

export function DeleteFile({ file, onClose }: { file: Checkpoint; onClose: () => void }) {
  const { busy, problem, run } = useAttempt();
  const remove = async () => {
    await api.checkpoints.remove(file.kind, file.name);
    files.value = (files.value ?? []).filter((one) => idOf(one) !== idOf(file));
    toast(t("deleted", { name: file.name }));
    onClose();
  };
  return (
    <ConfirmDeletion
      title={t("deleteOf", { name: file.name })}
      busy={busy.value}
      problem={problem.value}
      onDelete={() => void run(remove)}
      onClose={onClose}
    >
      <p>{t(file.status === "active" ? "deleteSure" : "deleteOpen")}</p>
    </ConfirmDeletion>
  );
}
