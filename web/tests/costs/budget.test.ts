import { describe, expect, it } from "vitest";
import { amountOf, budgetsIn, faultsOf, formOf, isPresent, partsOf, standingOf, wishOf } from "../../src/costs/budget";
import { budget, costs, owner } from "./costs";

const form = (given: Partial<ReturnType<typeof formOf>> = {}) => ({ ...formOf(null), owner: "anna", monthly: "20", ...given });

describe("how a budget stands", () => {
  it.each([
    ["fine", budget({ spent: 10, expected: 5 })],
    ["near", budget({ spent: 14, expected: 3, warning: true })],
    ["spent", budget({ spent: 17, expected: 3, warning: true })],
    ["spent", budget({ spent: 25, warning: true })],
    ["spent", budget({ monthly: 0, used: 1, warning: true })],
  ])("is %s", (standing, one) => {
    expect(standingOf(one)).toBe(standing);
  });

  it("fills its bar with what is spent and what open jobs are expected to cost, and no further", () => {
    expect(partsOf(budget({ spent: 10, expected: 5 }))).toEqual({ spent: 0.5, expected: 0.25 });
    expect(partsOf(budget({ spent: 15, expected: 50 }))).toEqual({ spent: 0.75, expected: 0.25 });
    expect(partsOf(budget({ spent: 50, expected: 5 }))).toEqual({ spent: 1, expected: 0 });
    expect(partsOf(budget({ monthly: 0 }))).toEqual({ spent: 1, expected: 0 });
  });

  it("is found in an answer, that of the stage first", () => {
    const stage = budget({ owner: null, monthly: 150 });
    const told = costs({ budget: stage, owners: [owner("ben"), owner("anna", { budget: budget() })] });
    expect(budgetsIn(told)).toEqual([stage, budget()]);
    expect(budgetsIn(costs())).toEqual([]);
  });

  it("belongs to the present month", () => {
    expect(isPresent(costs())).toBe(true);
    expect(isPresent(costs({ month: "2026-10" }))).toBe(false);
  });
});

describe("an amount", () => {
  it.each([
    ["20", 20],
    [" 12.50 ", 12.5],
    ["12,5", 12.5],
    ["$0", 0],
    ["２０．５", 20.5],
    ["0.005", 0.005],
  ])("is read as a person writes it: %s", (text, amount) => {
    expect(amountOf(text)).toBe(amount);
  });

  it.each(["", "-1", "ten", "1e3", "1,000", "1.000,50", "20 €", "Infinity", "NaN"])("is not guessed: %s", (text) => {
    expect(amountOf(text)).toBeNull();
  });
});

describe("the form of a budget", () => {
  it("says what the API would refuse, at its field", () => {
    expect(faultsOf(form())).toEqual({});
    expect(faultsOf(form({ owner: "", monthly: "" }))).toEqual({ owner: "ownerWrong", monthly: "amountWrong" });
    for (const name of ["Anna", "-a", "a/b", "a".repeat(65)]) {
      expect(faultsOf(form({ owner: name }))).toEqual({ owner: "ownerWrong" });
    }
    expect(faultsOf(form({ owner: "stage" }))).toEqual({ owner: "ownerIsStage" });
    expect(faultsOf(form({ monthly: "1000000001" }))).toEqual({ monthly: "amountTooLarge" });
  });

  it("asks for no name when the budget is that of the stage", () => {
    expect(faultsOf(form({ whose: "stage", owner: "" }))).toEqual({});
    expect(wishOf(form({ whose: "stage", owner: "anna" })).owner).toBe("stage");
  });

  it("tells the API dollars, and a share instead of per cent", () => {
    expect(wishOf(form({ owner: " anna ", monthly: "12,50", warnAt: 29 }))).toEqual({
      owner: "anna",
      body: { monthly: 12.5, warn_at: 0.29 },
    });
  });

  it("changes nothing of a budget that is opened and saved", () => {
    const given = budget({ monthly: 20.005, warn_at: 0.755 });
    expect(wishOf(formOf(given))).toEqual({ owner: "anna", body: { monthly: 20.005, warn_at: 0.755 } });
    expect(wishOf(formOf(budget({ owner: null }))).owner).toBe("stage");
  });
});
