/** What is said about costs in more than one place. */

import type { Budget, EndpointCost, OwnerCost } from "../api";
import { hours, percent, price } from "../texts";
import { t } from "./texts";

/** Whose budget it is; null is the whole stage. */
export function whoseWords(owner: string | null): string {
  return owner ?? t("wholeStage");
}

/** A budget that is nearly spent, in a sentence. */
export function nearWords(budget: Budget): string {
  const numbers = { used: percent(budget.used), monthly: price(budget.monthly) };
  return budget.owner === null ? t("nearStage", numbers) : t("nearOwner", { owner: budget.owner, ...numbers });
}

/** An instance type as a sum: `ml.g5.xlarge: 12.5 hr × $1.41 = $17.63`. */
export function typeWords({ instance_type: type, hours: awake, price: anHour, cost }: EndpointCost["types"][number]): string {
  if (anHour === null || cost === null) return t("typeUnpriced", { type, hours: hours(awake) });
  return t("typeCost", { type, hours: hours(awake), price: price(anHour), cost: price(cost) });
}

/** What is not certain about the cost of an owner's jobs. */
export function doubts({ unknown, estimated }: Pick<OwnerCost, "unknown" | "estimated">): string[] {
  return [
    ...(unknown > 0 ? [t("unknown", { n: unknown })] : []),
    ...(estimated > 0 ? [t("estimated", { n: estimated })] : []),
  ];
}
