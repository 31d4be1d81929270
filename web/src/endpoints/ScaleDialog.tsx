/** How many instances an endpoint may have. */

import { useSignal } from "@preact/signals";

import { api, useAttempt, type Endpoint } from "../api";
import { Button, Dialog, DialogButtons, Notice, toast } from "../ui";
import { Bounds } from "./Bounds";
import { told } from "./store";
import { t } from "./texts";

export function ScaleDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const bounds = useSignal({ least: endpoint.min_instances ?? 0, most: endpoint.max_instances ?? 1 });
  const { busy, problem, run } = useAttempt();
  const { least, most } = bounds.value;

  const scale = async () => {
    told(await api.endpoints.scale(endpoint.name, { min_instances: least, max_instances: most }));
    toast(t("scaled", { name: endpoint.name, least, most }));
    onClose();
  };

  return (
    <Dialog title={t("scaleOf", { name: endpoint.name })} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run(scale);
        }}
      >
        <Bounds least={least} most={most} onChange={(next, above) => (bounds.value = { least: next, most: above })} />
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <DialogButtons onCancel={onClose}>
          <Button type="submit" kind="primary" busy={busy.value}>
            {t("scale")}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
