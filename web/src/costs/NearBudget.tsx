/** A budget that is nearly spent, where jobs are made. */

import { signal } from "@preact/signals";

import type { Budget, Job } from "../api";
import { ButtonLink, Notice } from "../ui";
import { t } from "./texts";
import { nearWords } from "./words";

/** What the answer that made the last job told of a budget; null where it told nothing. */
const near = signal<Budget | null>(null);

/** Takes what the answer that makes a job tells of a budget. */
export function tellBudget({ budget }: Pick<Job, "budget">): void {
  near.value = budget;
}

export function NearBudget() {
  const budget = near.value;
  return (
    budget && (
      <Notice kind="warning">
        <p>{nearWords(budget)}</p>
        <ButtonLink href="#/costs">{t("showCosts")}</ButtonLink>
      </Notice>
    )
  );
}
