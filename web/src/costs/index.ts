/** What a month costs, by endpoint and by owner, and budgets. */

export { Costs } from "./Costs";
export { NearBudget, tellBudget } from "./NearBudget";
