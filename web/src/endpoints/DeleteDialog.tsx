/** Asks once before an endpoint is deleted. */

import { useSignal } from "@preact/signals";

import { api, explain, Problem, type Endpoint } from "../api";
import { Button, Dialog, Notice, toast } from "../ui";
import { gone, told } from "./store";
import { t } from "./texts";

export function DeleteDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);

  const remove = async () => {
    isBusy.value = true;
    problem.value = null;
    try {
      const answer = await api.endpoints.remove(endpoint.name);
      // SageMaker deletes none that it is creating or changing: it is marked then, and deleted as soon as possible.
      if (answer) told({ ...endpoint, ...answer, deleting: true });
      else told({ ...endpoint, deleting: true });
      toast(t("deleted", { name: endpoint.name }));
      onClose();
    } catch (fault) {
      if (fault instanceof Problem && fault.status === 404) {
        gone(endpoint.name);
        onClose();
        return;
      }
      problem.value = explain(fault);
    } finally {
      isBusy.value = false;
    }
  };

  return (
    <Dialog title={t("deleteOf", { name: endpoint.name })} onClose={onClose}>
      <div class="stack">
        <p>{t("deleteSure")}</p>
        {endpoint.open_jobs > 0 && <Notice kind="warning">{t("deleteJobs", { n: endpoint.open_jobs })}</Notice>}
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <div class="endpoints-buttons">
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
