/** *Amazon SageMaker Inference*: what runs in the cloud, and where. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { endpoints, endpointsProblem, isAskingEndpoints, refreshEndpoints, stateOf } from "../endpoints";
import { Button, Notice, Select, type Option } from "../ui";
import { cloud } from "./forms";
import { withValue } from "./inputs";
import { files, filesProblem, ofKind, reading, refreshFiles, whyNot } from "./shelf";
import { t } from "./texts";

export function Cloud({ modelFree = false }: { modelFree?: boolean }) {
  const id = useId();
  return (
    <section class="panel cloud" aria-labelledby={id}>
      <h2 id={id}>{t("cloud")}</h2>
      <div class={modelFree ? "cloud-choices few" : "cloud-choices"}>
        {!modelFree && (
          <>
            <CheckpointChoice />
            <VaeChoice />
          </>
        )}
        <EndpointChoice />
      </div>
      {[filesProblem.value, endpointsProblem.value].map(
        (problem) => problem && <Notice kind="error">{problem}</Notice>,
      )}
    </section>
  );
}

function CheckpointChoice() {
  const names = ofKind(files.value, "stable-diffusion").map((file) => file.name);
  const { value } = cloud.checkpoint;
  const first: Option = {
    value: "",
    label: t(files.value === null ? "loading" : names.length ? "chooseCheckpoint" : "noCheckpoints"),
  };
  return (
    <Refreshed label={t("refreshFiles")} busy={reading.value > 0} refresh={refreshFiles}>
      <Select
        label={t("checkpoint")}
        value={value}
        options={marked([first, ...names], value, files.value !== null)}
        onChange={(next) => (cloud.checkpoint.value = next)}
      />
    </Refreshed>
  );
}

function VaeChoice() {
  const names = ofKind(files.value, "vae").map((file) => file.name);
  const { value } = cloud.vae;
  const own = [
    { value: "Automatic", label: t("automatic") },
    { value: "None", label: t("none") },
  ];
  return (
    <Refreshed label={t("refreshFiles")} busy={reading.value > 0} refresh={refreshFiles}>
      <Select
        label={t("vae")}
        value={value}
        options={marked([...own, ...names], value, files.value !== null)}
        onChange={(next) => (cloud.vae.value = next)}
      />
    </Refreshed>
  );
}

/** The options with the chosen value; one that the shelf does not have is said to be missing once the shelf is read. */
function marked(options: readonly (Option | string)[], value: string, isRead: boolean): readonly (Option | string)[] {
  const all = withValue(options, value);
  if (all === options || !isRead) return all;
  return [...options, { value, label: t("notThere", { name: value }) }];
}

function EndpointChoice() {
  const { value } = cloud.endpoint;
  const found: Option[] = (endpoints.value ?? []).map((each) => {
    const why = whyNot(each);
    const { name } = each;
    const status = stateOf(each) === "asleep" ? t("asleep", { status: each.status }) : each.status;
    return {
      value: name,
      label: why ? t("endpointWhy", { name, status, why: t(why) }) : `${name} · ${status}`,
      disabled: why !== null,
    };
  });
  return (
    <Refreshed label={t("refreshEndpoints")} busy={isAskingEndpoints.value} refresh={refreshEndpoints}>
      <Select
        label={t("endpoint")}
        value={value}
        options={marked([{ value: "", label: t("automatic") }, ...found], value, endpoints.value !== null)}
        onChange={(next) => (cloud.endpoint.value = next)}
      />
    </Refreshed>
  );
}

interface RefreshedProps {
  label: string;
  busy: boolean;
  refresh: () => Promise<void>;
  children: ComponentChildren;
}

function Refreshed(props: RefreshedProps) {
  return (
    <div class="refreshed">
      {props.children}
      <Button icon="refresh" label={props.label} busy={props.busy} onClick={() => void props.refresh()} />
    </div>
  );
}
