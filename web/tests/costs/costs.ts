/** Costs and budgets as the API tells of them, for tests. */
import type { Budget, EndpointCost, MonthCosts, OwnerCost } from "../../src/api";

export function budget(given: Partial<Budget> = {}): Budget {
  return { owner: "anna", monthly: 20, spent: 0, expected: 0, used: 0, warn_at: 0.8, warning: false, ...given };
}

export function owner(name: string, given: Partial<OwnerCost> = {}): OwnerCost {
  return { owner: name, jobs: 0, cost: 0, unknown: 0, estimated: 0, budget: null, ...given };
}

export function endpoint(name: string, given: Partial<EndpointCost> = {}): EndpointCost {
  return {
    name,
    awake_hours: 0,
    cost: 0,
    jobs: 0,
    jobs_cost: 0,
    waking: 0,
    idle: 0,
    unpriced: false,
    types: [],
    ...given,
  };
}

/** What an admin is told of a month without anything. */
export function costs(given: Partial<MonthCosts> = {}): MonthCosts {
  return {
    month: "2026-11",
    currency: "USD",
    as_of: "2026-11-28T08:00:00Z",
    exact: true,
    total: 0,
    jobs: 0,
    jobs_cost: 0,
    overhead: { waking: 0, idle: 0, cost: 0 },
    endpoints: [],
    owners: [],
    budget: null,
    ...given,
  };
}
