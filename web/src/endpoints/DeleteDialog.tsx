/** Asks once before an endpoint is deleted. */

import { api, Problem, useAttempt, type Endpoint } from "../api";
import { ConfirmDeletion, Notice, toast } from "../ui";
import { gone, told } from "./store";
import { t } from "./texts";

export function DeleteDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const { busy, problem, run } = useAttempt();
  const remove = async () => {
    try {
      const answer = await api.endpoints.remove(endpoint.name);
      // SageMaker deletes none that it is creating or changing: it is marked then, and deleted as soon as possible.
      told({ ...endpoint, ...answer, deleting: true });
      toast(t("deleted", { name: endpoint.name }));
    } catch (fault) {
      if (!(fault instanceof Problem && fault.status === 404)) throw fault;
      gone(endpoint.name);
    }
    onClose();
  };
  return (
    <ConfirmDeletion
      title={t("deleteOf", { name: endpoint.name })}
      busy={busy.value}
      problem={problem.value}
      onDelete={() => void run(remove)}
      onClose={onClose}
    >
      <p>{t("deleteSure")}</p>
      {endpoint.open_jobs > 0 && <Notice kind="warning">{t("deleteJobs", { n: endpoint.open_jobs })}</Notice>}
    </ConfirmDeletion>
  );
}
