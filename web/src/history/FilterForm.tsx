import { useEffect, useId, useState } from "preact/hooks";
import { api, Problem, type Checkpoint } from "../api";
import { statusName, typeWord } from "../tray";
import { Accordion, Button, Checkbox, Field } from "../ui";
import { show } from "./Chips";
import { dayOf, each, momentOf, NONE, STATUSES, TYPES, type Filters } from "./filters";
import { t } from "./texts";

/** Advanced Inference Job filter. What is written is applied together, so that no half of a word is searched for. */
export function FilterForm({ filters }: { filters: Filters }) {
  const [open, setOpen] = useState(false);
  const [draft, setDraft] = useState(filters);
  const id = useId();
  const names = useNames(open);
  useEffect(() => setDraft(filters), [JSON.stringify(filters)]);
  const change = (part: Partial<Filters>) => setDraft((now) => ({ ...now, ...part }));
  const toggled = <T,>(list: T[], value: T, on: boolean) =>
    on ? [...list, value] : list.filter((one) => one !== value);
  const text = (name: "endpoint" | "checkpoint" | "lora" | "owner" | "q" | "seed", list?: string) => (
    <Field label={t(name)} value={draft[name]} list={list} onChange={(value) => change({ [name]: value })} />
  );
  const count = each(filters).length;

  return (
    <Accordion label={t("filter")} shown={open} onToggle={setOpen} note={count ? t("inForce", { n: count }) : ""}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          show(draft);
        }}
      >
        <fieldset class="history-checks">
          <legend>{t("type")}</legend>
          {TYPES.map((type) => (
            <Checkbox
              key={type}
              label={typeWord(type)}
              checked={draft.type.includes(type)}
              onChange={(on) => change({ type: toggled(draft.type, type, on) })}
            />
          ))}
        </fieldset>
        <fieldset class="history-checks">
          <legend>{t("status")}</legend>
          {STATUSES.map((status) => (
            <Checkbox
              key={status}
              label={statusName(status)}
              checked={draft.status.includes(status)}
              onChange={(on) => change({ status: toggled(draft.status, status, on) })}
            />
          ))}
        </fieldset>
        <div class="row">
          {text("q")}
          {text("owner")}
          {text("seed")}
        </div>
        <div class="row">
          {text("endpoint", `${id}-endpoints`)}
          {text("checkpoint", `${id}-checkpoints`)}
          {text("lora", `${id}-loras`)}
        </div>
        <div class="row">
          <Field
            label={t("from")}
            type="date"
            value={dayOf(draft.from)}
            onChange={(day) => change({ from: momentOf(day, false) })}
          />
          <Field
            label={t("to")}
            type="date"
            value={dayOf(draft.to)}
            onChange={(day) => change({ to: momentOf(day, true) })}
          />
        </div>
        <div class="row">
          <Button type="submit" kind="primary" icon="filter">
            {t("apply")}
          </Button>
          <Button onClick={() => show(NONE)}>{t("clear")}</Button>
        </div>
        <Options id={`${id}-endpoints`} values={names.endpoints} />
        <Options id={`${id}-checkpoints`} values={names.checkpoints} />
        <Options id={`${id}-loras`} values={names.loras} />
      </form>
    </Accordion>
  );
}

function Options({ id, values }: { id: string; values: string[] }) {
  return (
    <datalist id={id}>
      {values.map((value) => (
        <option key={value} value={value} />
      ))}
    </datalist>
  );
}

interface Names {
  endpoints: string[];
  checkpoints: string[];
  loras: string[];
}

/** Names that the fields offer. They are only offered: jobs of an endpoint that is gone are found by its name too. */
function useNames(wanted: boolean): Names {
  const [names, setNames] = useState<Names>({ endpoints: [], checkpoints: [], loras: [] });
  useEffect(() => {
    if (!wanted) return;
    const files = async (kind: Checkpoint["kind"]) => (await api.checkpoints.list({ kind, limit: 1000 })).checkpoints;
    Promise.all([api.endpoints.list(), files("stable-diffusion"), files("lora")]).then(
      ([{ endpoints }, checkpoints, loras]) =>
        setNames({
          endpoints: endpoints.map(({ name }) => name),
          checkpoints: checkpoints.map(({ name }) => name),
          loras: loras.map(({ name }) => name),
        }),
      (fault: unknown) => {
        if (!(fault instanceof Problem)) throw fault;
      },
    );
  }, [wanted]);
  return names;
}
