/** Budgets: how one stands, and what is written into the form of one. */

import type { Budget, BudgetWish, MonthCosts } from "../api";

/** The name of the budget of the whole stage in the API. */
export const STAGE = "stage";
const LARGEST = 1_000_000_000;

export type Standing = "fine" | "near" | "spent";

/** Whether there is still something to spend, open jobs counted in. */
export function standingOf({ monthly, spent, expected, warning }: Budget): Standing {
  if (spent + expected >= monthly) return "spent";
  return warning ? "near" : "fine";
}

/** The parts of a budget's bar, from 0 to 1 together: what is spent, and what open jobs are expected to cost. */
export function partsOf({ monthly, spent, expected }: Budget): { spent: number; expected: number } {
  if (monthly <= 0) return { spent: 1, expected: 0 };
  const first = Math.min(1, spent / monthly);
  return { spent: first, expected: Math.min(1 - first, expected / monthly) };
}

/** The budgets in an answer, that of the stage first. */
export function budgetsIn({ budget, owners }: MonthCosts): Budget[] {
  return [budget, ...owners.map((owner) => owner.budget)].filter((each) => each !== null);
}

/** Whether the answer is about the present month, to which budgets belong. */
export function isPresent({ month, as_of: asOf }: MonthCosts): boolean {
  return asOf.startsWith(month);
}

/** What a person writes. */
export interface BudgetForm {
  whose: "stage" | "owner";
  owner: string;
  monthly: string;
  /** in per cent */
  warnAt: number;
}

/** The form of a budget that is changed, or of a new one. */
export function formOf(budget: Budget | null): BudgetForm {
  if (!budget) return { whose: "owner", owner: "", monthly: "", warnAt: 80 };
  return {
    whose: budget.owner === null ? "stage" : "owner",
    owner: budget.owner ?? "",
    monthly: String(budget.monthly),
    warnAt: Math.round(budget.warn_at * 1000) / 10,
  };
}

export type BudgetFault = "ownerWrong" | "ownerIsStage" | "amountWrong" | "amountTooLarge";

/** What is wrong with a form, by field: what the API would refuse, before it is asked. */
export function faultsOf(form: BudgetForm): Partial<Record<keyof BudgetForm, BudgetFault>> {
  const faults: Partial<Record<keyof BudgetForm, BudgetFault>> = {};
  const owner = form.owner.trim();
  if (form.whose === "owner") {
    if (!/^[a-z0-9][a-z0-9._@-]{0,63}$/.test(owner)) faults.owner = "ownerWrong";
    else if (owner === STAGE) faults.owner = "ownerIsStage";
  }
  const monthly = amountOf(form.monthly);
  if (monthly === null) faults.monthly = "amountWrong";
  else if (monthly > LARGEST) faults.monthly = "amountTooLarge";
  return faults;
}

/** US dollars as a person writes them, with a point, or a comma before the cents; null for what is no amount. Digits of
 * an Asian keyboard count as well. */
export function amountOf(text: string): number | null {
  const plain = text.normalize("NFKC").trim().replace(/^\$\s*/, "");
  return /^\d+(\.\d+|,\d{1,2})?$/.test(plain) ? Number(plain.replace(",", ".")) : null;
}

/** Whose budget a form sets, as the API calls it, and the body of `PUT /budgets/{owner}`. */
export function wishOf(form: BudgetForm): { owner: string; body: BudgetWish } {
  const body = { monthly: amountOf(form.monthly) ?? 0, warn_at: Math.round(form.warnAt * 10) / 1000 };
  return { owner: form.whose === "stage" ? STAGE : form.owner.trim(), body };
}
