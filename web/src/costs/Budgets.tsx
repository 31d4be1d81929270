/** The budgets of the present month with how much of each is used; an admin sets, changes and deletes them. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import { api, useAttempt, type Budget, type MonthCosts } from "../api";
import { percent, price } from "../texts";
import { Button, ConfirmDeletion, toast } from "../ui";
import { BudgetDialog } from "./BudgetDialog";
import { budgetsIn, partsOf, STAGE, standingOf, type Standing } from "./budget";
import { Fact } from "./Parts";
import { refresh } from "./store";
import { t } from "./texts";
import { whoseWords } from "./words";

type Open = { what: "set"; budget: Budget | null } | { what: "delete"; budget: Budget };

export function Budgets({ costs }: { costs: MonthCosts }) {
  const id = useId();
  const open = useSignal<Open | null>(null);
  const close = () => (open.value = null);
  const mayChange = costs.overhead !== null;
  const budgets = budgetsIn(costs);
  const shown = open.value;
  if (!mayChange && budgets.length === 0) return null;
  return (
    <section class="stack" aria-labelledby={id}>
      <div class="cost-top">
        <h2 id={id}>{t("budgets")}</h2>
        {mayChange && (
          <Button icon="plus" onClick={() => (open.value = { what: "set", budget: null })}>
            {t("setBudget")}
          </Button>
        )}
      </div>
      {budgets.length === 0 && <p class="muted">{t("noBudgets")}</p>}
      <ul class="cost-list">
        {budgets.map((budget) => (
          <BudgetRow key={budget.owner ?? ""} budget={budget}>
            {mayChange && (
              <div class="cost-buttons">
                <Button onClick={() => (open.value = { what: "set", budget })}>{t("change")}</Button>
                <Button kind="danger" icon="trash" onClick={() => (open.value = { what: "delete", budget })}>
                  {t("delete")}
                </Button>
              </div>
            )}
          </BudgetRow>
        ))}
      </ul>
      {shown?.what === "set" && <BudgetDialog budget={shown.budget} costs={costs} onClose={close} />}
      {shown?.what === "delete" && <DeleteBudget budget={shown.budget} onClose={close} />}
    </section>
  );
}

const WORDS = { near: "nearlySpent", spent: "allSpent" } as const satisfies Record<Exclude<Standing, "fine">, string>;

function BudgetRow({ budget, children }: { budget: Budget; children: ComponentChildren }) {
  const standing = standingOf(budget);
  return (
    <li class={`panel cost-budget ${standing}`}>
      <div class="cost-top">
        <h3>{whoseWords(budget.owner)}</h3>
        <strong>{t("usedOf", { used: percent(budget.used), monthly: price(budget.monthly) })}</strong>
      </div>
      <BudgetBar budget={budget} />
      {standing !== "fine" && <p class="cost-standing">{t(WORDS[standing])}</p>}
      <dl class="cost-facts">
        <Fact name={t("spent")}>{price(budget.spent)}</Fact>
        <Fact name={t("expected")}>{price(budget.expected)}</Fact>
        <Fact name={t("limit")}>{price(budget.monthly)}</Fact>
        <Fact name={t("warnsAt")}>{percent(budget.warn_at)}</Fact>
      </dl>
      {children}
    </li>
  );
}

/** What is spent, and behind it in a paler colour what open jobs are expected to cost. */
function BudgetBar({ budget }: { budget: Budget }) {
  const parts = partsOf(budget);
  return (
    <div
      class="cost-bar"
      role="meter"
      aria-label={t("barOf", { whose: whoseWords(budget.owner) })}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * (parts.spent + parts.expected))}
    >
      <div style={{ width: `${100 * parts.spent}%` }} />
      <div class="expected" style={{ width: `${100 * parts.expected}%` }} />
    </div>
  );
}

function DeleteBudget({ budget, onClose }: { budget: Budget; onClose: () => void }) {
  const { busy, problem, run } = useAttempt();
  const whose = whoseWords(budget.owner);
  const remove = async () => {
    await api.costs.removeBudget(budget.owner ?? STAGE);
    toast(t("deleted", { whose }));
    onClose();
    void refresh();
  };
  return (
    <ConfirmDeletion
      title={t("deleteOf", { whose })}
      busy={busy.value}
      problem={problem.value}
      onDelete={() => void run(remove)}
      onClose={onClose}
    >
      <p>{t("deleteSure")}</p>
    </ConfirmDeletion>
  );
}
