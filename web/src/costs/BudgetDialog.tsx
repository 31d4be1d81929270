/** The form of a budget: a new one, or one that is changed. */

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

import { api, useAttempt, type Budget, type MonthCosts } from "../api";
import { price } from "../texts";
import { Button, Dialog, DialogButtons, Field, Notice, Radios, Slider, toast } from "../ui";
import { budgetsIn, faultsOf, formOf, STAGE, wishOf, type BudgetForm } from "./budget";
import { refresh } from "./store";
import { t } from "./texts";
import { whoseWords } from "./words";

export interface BudgetDialogProps {
  /** the one to change; null for a new one */
  budget: Budget | null;
  costs: MonthCosts;
  onClose: () => void;
}

export function BudgetDialog({ budget, costs, onClose }: BudgetDialogProps) {
  const form = useSignal<BudgetForm>(formOf(budget));
  const isTried = useSignal(false);
  const { busy, problem, run } = useAttempt();
  const set = (change: Partial<BudgetForm>) => (form.value = { ...form.value, ...change });
  const faults = isTried.value ? faultsOf(form.value) : {};
  const error = (field: keyof BudgetForm) => {
    const fault = faults[field];
    return fault ? t(fault) : null;
  };
  const save = async () => {
    const { owner, body } = wishOf(form.value);
    await api.costs.setBudget(owner, body);
    const whose = whoseWords(owner === STAGE ? null : owner);
    toast(t("saved", { whose, monthly: price(body.monthly) }));
    onClose();
    void refresh();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    isTried.value = true;
    if (Object.keys(faultsOf(form.value)).length === 0) void run(save);
  };
  return (
    <Dialog title={budget ? t("changeOf", { whose: whoseWords(budget.owner) }) : t("setBudget")} onClose={onClose}>
      <form class="stack" noValidate onSubmit={submit}>
        {!budget && <Whose form={form.value} costs={costs} error={error("owner")} set={set} />}
        <Field
          label={t("monthly")}
          inputMode="decimal"
          autocomplete="off"
          autofocus={budget !== null}
          value={form.value.monthly}
          hint={t("monthlyHint")}
          error={error("monthly")}
          onChange={(monthly) => set({ monthly })}
        />
        <Slider
          label={t("warnAt")}
          value={form.value.warnAt}
          min={0}
          max={100}
          hint={t("warnAtHint")}
          onChange={(warnAt) => set({ warnAt })}
        />
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <DialogButtons onCancel={onClose}>
          <Button type="submit" kind="primary" busy={busy.value}>
            {t("save")}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

interface WhoseProps {
  form: BudgetForm;
  costs: MonthCosts;
  error: string | null;
  set: (change: Partial<BudgetForm>) => void;
}

/** Whose budget a new one is. One that there is already would be replaced, and that is said. */
function Whose({ form, costs, error, set }: WhoseProps) {
  const list = useId();
  const owner = form.whose === "stage" ? null : form.owner.trim();
  const before = budgetsIn(costs).find((each) => each.owner === owner);
  return (
    <>
      <Radios
        label={t("whose")}
        value={form.whose}
        options={[
          { value: "owner", label: t("oneOwner") },
          { value: "stage", label: t("wholeStage") },
        ]}
        onChange={(whose) => set({ whose: whose as BudgetForm["whose"] })}
      />
      {form.whose === "owner" && (
        <>
          <Field
            label={t("owner")}
            list={list}
            autocomplete="off"
            spellcheck={false}
            autofocus
            maxLength={64}
            value={form.owner}
            hint={t("ownerHint")}
            error={error}
            onChange={(name) => set({ owner: name })}
          />
          <datalist id={list}>
            {costs.owners.map((each) => (
              <option key={each.owner} value={each.owner} />
            ))}
          </datalist>
        </>
      )}
      {before && <Notice>{t("replaces", { monthly: price(before.monthly) })}</Notice>}
    </>
  );
}
