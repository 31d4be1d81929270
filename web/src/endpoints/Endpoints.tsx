/** All endpoints of the stage: their state, and creating, scaling and deleting them. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { Endpoint } from "../api";
import { when } from "../texts";
import { Button, Empty, Notice, Progress, type PageProps } from "../ui";
import { Awake } from "./Awake";
import { CreateDialog } from "./CreateDialog";
import { DeleteDialog } from "./DeleteDialog";
import { HoursDialog } from "./HoursDialog";
import { ScaleDialog } from "./ScaleDialog";
import { stateOf, takesJobs, type StateKey } from "./state";
import { endpoints, follow, isAsking, problem, refresh } from "./store";
import { t } from "./texts";
import "./endpoints.css";

type Open = { what: "create" } | { what: "scale" | "hours" | "delete"; endpoint: Endpoint };

export function Endpoints({ active }: PageProps) {
  const open = useSignal<Open | null>(null);
  useEffect(() => (active ? follow() : undefined), [active]);
  const close = () => (open.value = null);
  const all = endpoints.value;
  const shown = open.value;
  return (
    <section class="stack" aria-label={t("title")}>
      <div class="endpoints-head">
        <p class="muted">{t("explained")}</p>
        <div class="endpoints-buttons">
          <Button icon="refresh" label={t("refresh")} busy={isAsking.value} onClick={() => void refresh()} />
          <Button icon="plus" kind="primary" onClick={() => (open.value = { what: "create" })}>
            {t("create")}
          </Button>
        </div>
      </div>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
      {!all && !problem.value && <Progress label={t("asking")} />}
      {all?.length === 0 && <Empty icon="cloud">{t("none")}</Empty>}
      <ul class="endpoints">
        {all?.map((endpoint) => (
          <Row
            key={endpoint.name}
            endpoint={endpoint}
            onHours={() => (open.value = { what: "hours", endpoint })}
            onScale={() => (open.value = { what: "scale", endpoint })}
            onDelete={() => (open.value = { what: "delete", endpoint })}
          />
        ))}
      </ul>
      {shown?.what === "create" && <CreateDialog onClose={close} />}
      {shown?.what === "scale" && <ScaleDialog endpoint={shown.endpoint} onClose={close} />}
      {shown?.what === "hours" && <HoursDialog endpoint={shown.endpoint} onClose={close} />}
      {shown?.what === "delete" && <DeleteDialog endpoint={shown.endpoint} onClose={close} />}
    </section>
  );
}

const TONES: Record<StateKey, string> = {
  awake: "good",
  asleep: "calm",
  waking: "passing",
  changing: "passing",
  creating: "passing",
  deleting: "passing",
  broken: "bad",
  unusual: "bad",
};

interface RowProps {
  endpoint: Endpoint;
  onHours: () => void;
  onScale: () => void;
  onDelete: () => void;
}

function Row({ endpoint, onHours, onScale, onDelete }: RowProps) {
  const state = stateOf(endpoint);
  const { min_instances: least, max_instances: most } = endpoint;
  return (
    <li class="panel endpoint">
      <div class="endpoint-top">
        <h2>{endpoint.name}</h2>
        <span class={`endpoint-state ${TONES[state]}`}>{endpoint.deleting ? t("deletingWord") : endpoint.status}</span>
      </div>
      <p class={takesJobs(endpoint) ? "muted" : "endpoint-why"}>{t(state, { status: endpoint.status })}</p>
      {endpoint.failure && <Notice kind="error">{endpoint.failure}</Notice>}
      <dl class="endpoint-facts">
        <Fact name={t("instances")} value={instancesOf(endpoint)} />
        <Fact name={t("bounds")} value={least === null || most === null ? t("notOurs") : t("fromTo", { least, most })} />
        <Fact name={t("instanceType")} value={instanceTypesOf(endpoint)} />
        <Fact name={t("engine")} value={endpoint.engine ?? t("ownContainer")} />
        <Fact name={t("openJobs")} value={t("count", { n: endpoint.open_jobs })} />
        <Fact name={t("owner")} value={endpoint.owner} />
        <Fact name={t("since")} value={when(endpoint.created_at)} />
      </dl>
      <Awake endpoint={endpoint} onHours={onHours} />
      {endpoint.image && (
        <details>
          <summary>{t("image")}</summary>
          <p class="mono">{endpoint.image}</p>
        </details>
      )}
      <div class="endpoints-buttons">
        <Button disabled={endpoint.deleting || least === null} onClick={onScale}>
          {t("scale")}
        </Button>
        <Button kind="danger" icon="trash" disabled={endpoint.deleting} onClick={onDelete}>
          {t("delete")}
        </Button>
      </div>
    </li>
  );
}

/** The types in order of preference; of several, behind each how many run, if any do. */
export function instanceTypesOf({ instance_type: first, instance_types: types }: Endpoint): string | null {
  if (types.length < 2) return first;
  return types.map(({ instance_type: type, instances: n }) => (n ? `${type} (${n})` : type)).join(", ");
}

function instancesOf({ instances, wanted_instances: wanted }: Endpoint): string {
  return instances === wanted ? t("count", { n: instances }) : t("onTheWay", { now: instances, wanted });
}

function Fact({ name, value }: { name: string; value: string | null }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value ?? "–"}</dd>
    </div>
  );
}
