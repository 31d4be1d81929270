/** How many instances an endpoint may have. */

import { useSignal } from "@preact/signals";

import { api, explain, type Endpoint } from "../api";
import { Button, Dialog, Notice, Slider, toast } from "../ui";
import { told } from "./store";
import { t } from "./texts";

export function ScaleDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const least = useSignal(endpoint.min_instances ?? 0);
  const most = useSignal(endpoint.max_instances ?? 1);
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);

  const scale = async (event: Event) => {
    event.preventDefault();
    if (isBusy.value) return;
    isBusy.value = true;
    problem.value = null;
    try {
      told(await api.endpoints.scale(endpoint.name, { min_instances: least.value, max_instances: most.value }));
      toast(t("scaled", { name: endpoint.name, least: least.value, most: most.value }));
      onClose();
    } catch (fault) {
      problem.value = explain(fault);
    } finally {
      isBusy.value = false;
    }
  };

  return (
    <Dialog title={t("scaleOf", { name: endpoint.name })} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void scale(event)}>
        <Slider
          label={t("least")}
          value={least.value}
          min={0}
          max={Math.max(10, least.value)}
          hint={t("leastHint")}
          onChange={(value) => {
            least.value = Math.round(value);
            most.value = Math.max(most.value, least.value);
          }}
        />
        {least.value > 0 && <Notice kind="warning">{t("neverSleeps", { n: least.value })}</Notice>}
        <Slider
          label={t("most")}
          value={most.value}
          min={1}
          max={Math.max(20, most.value)}
          onChange={(value) => {
            most.value = Math.round(value);
            least.value = Math.min(least.value, most.value);
          }}
        />
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <div class="endpoints-buttons">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" kind="primary" busy={isBusy.value}>
            {t("scale")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
