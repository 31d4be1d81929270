// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, Problem, type MonthCosts } from "../../src/api";
import { go } from "../../src/app/route";
import { Costs } from "../../src/costs";
import { shown } from "../../src/costs/store";
import { language } from "../../src/texts";
import { budget, costs, endpoint, owner } from "./costs";

const STAGE = costs({
  total: 20,
  jobs: 5,
  jobs_cost: 12.4,
  overhead: { waking: 1.5, idle: 6.1, cost: 7.6 },
  endpoints: [
    endpoint("fast", {
      awake_hours: 12.5,
      cost: 17.6,
      jobs: 4,
      jobs_cost: 10,
      waking: 1.5,
      idle: 6.1,
      unpriced: true,
      types: [
        { instance_type: "ml.g4dn.xlarge", hours: 0.5, price: null, cost: null },
        { instance_type: "ml.g5.xlarge", hours: 12, price: 1.408, cost: 16.896 },
      ],
    }),
    endpoint("old", { cost: 2.4, jobs: 1, jobs_cost: 2.4 }),
  ],
  owners: [
    owner("anna", { jobs: 4, cost: 12.4, unknown: 1, estimated: 2, budget: budget({ spent: 12.4, expected: 4, used: 0.82, warning: true }) }),
    owner("ben", { jobs: 1 }),
  ],
  budget: budget({ owner: null, monthly: 20, spent: 20, used: 1, warning: true }),
});
const OWN = costs({ overhead: null, total: 0.5, jobs: 2, jobs_cost: 0.5, owners: [owner("anna", { jobs: 2, cost: 0.5 })] });

let asked: (string | null)[] = [];

/** The API tells this of every month. */
function tells(answer: MonthCosts | Problem) {
  vi.spyOn(api.costs, "get").mockImplementation(async (month) => {
    asked.push(month);
    if (answer instanceof Problem) throw answer;
    return { ...answer, month: month ?? answer.month };
  });
}

/** Does something, and waits until the page shows what came of it: answers that are there already, and effects. */
async function then(does: () => unknown): Promise<void> {
  await act(async () => void (await does()));
  await act(() => new Promise<void>((resolve) => setTimeout(resolve)));
}

const open = () =>
  then(() => {
    go("#/costs");
    render(<Costs active />, document.body);
  });
const words = () => document.body.textContent ?? "";
const button = (name: string, among: ParentNode = document) =>
  [...among.querySelectorAll("button")].find(({ textContent }) => textContent === name)!;
const rows = (name: string) => [...document.querySelectorAll(`.${name}`)].map(({ textContent }) => textContent ?? "");
const dialog = () => document.querySelector("dialog");

function write(label: string, text: string) {
  const name = [...document.querySelectorAll("label")].find(({ textContent }) => textContent === label)!;
  const field = document.getElementById(name.htmlFor) as HTMLInputElement;
  return act(() => {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

beforeEach(() => {
  asked = [];
  shown.value = { month: null, costs: null, problem: null };
});
afterEach(() => {
  render(null, document.body);
  vi.restoreAllMocks();
  language.value = "en";
});

describe("what an admin sees of a month", () => {
  it("is the total, and what is overhead of it", async () => {
    tells(STAGE);
    await open();
    const totals = document.querySelector(".cost-totals")!.textContent;
    expect(totals).toBe("Total$20.00Jobs cost$12.40Waking$1.50Idle$6.10Overhead: waking and idle$7.60Jobs5");
  });

  it("is each endpoint as hours by type times price, and what cannot be known of it", async () => {
    tells(STAGE);
    await open();
    const [fast, old] = rows("cost-endpoint");
    expect(fast).toContain("ml.g5.xlarge: 12 hr × $1.41 = $16.90");
    expect(fast).toContain("ml.g4dn.xlarge: 0.5 hr, no price known");
    expect(fast).toContain("it costs more than this");
    expect(fast).toContain("Waking$1.50Idle$6.10");
    expect(old).toContain("Its hours are not known");
    expect(old).not.toContain("it costs more than this");
  });

  it("is each owner, with jobs whose cost is unknown or an estimate", async () => {
    tells(STAGE);
    await open();
    const [anna, ben] = [...document.querySelectorAll("tbody tr")].map(({ textContent }) => textContent);
    expect(anna).toBe(
      "annaOf 1 job the cost is not known.2 are estimates: they count as if they had run on the dearer type.4$12.40",
    );
    expect(ben).toBe("ben1$0.00");
  });

  it("is each budget, with a warning from its share on and the words that it is spent", async () => {
    tells(STAGE);
    await open();
    const [stage, anna] = [...document.querySelectorAll(".cost-budget")];
    expect(stage?.textContent).toContain("The whole stage100% of $20.00");
    expect(stage?.textContent).toContain("New jobs are refused.");
    expect(anna?.textContent).toContain("anna82% of $20.00Nearly spent");
    expect(anna?.textContent).toContain("Spent$12.40Expected of open jobs$4.00Limit$20.00Warns from80%");
    expect(anna?.querySelector("[role=meter]")?.getAttribute("aria-valuenow")).toBe("82");
  });

  it("says what is not in it, and when the newest jobs may be missing", async () => {
    tells({ ...STAGE, exact: false });
    await open();
    expect(words()).toContain("Not in it: S3, DynamoDB, Lambda");
    expect(words()).toContain("The newest may be missing");
  });

  it("is written as its language writes it", async () => {
    language.value = "ja";
    tells(STAGE);
    await open();
    expect(words()).toContain("ml.g5.xlarge：12 時間 × $1.41 = $16.90");
    expect(words()).toContain("2026年11月");
  });

  it("of a month without anything is said to be nothing, and a budget may be set all the same", async () => {
    tells(costs());
    await open();
    expect(words()).toContain("No endpoint was awake in November 2026, and no job was made.");
    expect(document.querySelector("table")).toBeNull();
    expect(words()).toContain("There is no budget.");
    expect(button("Set a budget")).toBeDefined();
  });
});

describe("what an artist sees", () => {
  it("is the own line alone, and no budget to change", async () => {
    tells({ ...OWN, owners: [owner("anna", { jobs: 2, cost: 0.5, budget: budget({ spent: 0.5, used: 0.025 }) })] });
    await open();
    expect(document.querySelector(".cost-totals")?.textContent).toBe("Your jobs cost$0.50Jobs2");
    expect(rows("cost-budget")).toHaveLength(1);
    expect(document.querySelectorAll("tbody tr")).toHaveLength(1);
    expect([button("Set a budget"), button("Change"), button("Delete")]).toEqual([undefined, undefined, undefined]);
  });

  it("is that there is nothing yet, and no word of budgets without one", async () => {
    tells({ ...OWN, total: 0, jobs: 0, jobs_cost: 0, owners: [owner("anna")] });
    await open();
    expect(words()).toContain("You made no jobs in November 2026.");
    expect(words()).not.toContain("Budgets");
  });
});

describe("another month", () => {
  const choose = (month: string) =>
    then(() => {
      const select = document.querySelector("select")!;
      select.value = month;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    });

  it("stands in the address, has no budgets, and leads back to the present one", async () => {
    tells(STAGE);
    await open();
    const [present = "", before = ""] = [...document.querySelectorAll("option")].map(({ value }) => value);
    await choose(before);
    expect([location.hash, asked.at(-1)]).toEqual([`#/costs?month=${before}`, before]);
    expect(words()).not.toContain("Budgets");
    await choose(present);
    expect([location.hash, asked.at(-1)]).toEqual(["#/costs", null]);
  });

  it("is never shown with the numbers of the one before", async () => {
    const answers = new Map<string | null, (told: MonthCosts) => void>();
    vi.spyOn(api.costs, "get").mockImplementation((month) => new Promise((resolve) => answers.set(month, resolve)));
    await open();
    await then(() => go("#/costs?month=2026-09"));
    await then(() => answers.get("2026-09")!(costs({ month: "2026-09", jobs: 1, total: 3 })));
    await then(() => answers.get(null)!(costs({ jobs: 1, total: 99 })));
    expect(words()).toContain("$3.00");
    expect(words()).not.toContain("$99.00");
  });
});

it("a problem is said, and what was told before stays", async () => {
  tells(STAGE);
  await open();
  tells(new Problem("aws_busy", 503, "busy"));
  await then(() => (document.querySelector("[aria-label=Refresh]") as HTMLButtonElement).click());
  expect(document.querySelector("[role=alert]")?.textContent).toBe("AWS is busy. Try again in a moment.");
  expect(words()).toContain("$20.00");
});

describe("an admin's budget", () => {
  const submit = (label: string) => then(() => button(label, dialog()!).click());
  const begin = async () => {
    tells(STAGE);
    await open();
    await act(() => button("Set a budget").click());
  };

  it("is set, and the costs are asked for again", async () => {
    const set = vi.spyOn(api.costs, "setBudget").mockResolvedValue({} as never);
    await begin();
    await write("Owner", "ben");
    await write("US dollars a month", "12.50");
    await submit("Save");
    expect(set.mock.calls).toEqual([["ben", { monthly: 12.5, warn_at: 0.8 }]]);
    expect([dialog(), asked.length]).toEqual([null, 2]);
  });

  it("is not sent while something is wrong with it, and that is said at its field", async () => {
    const set = vi.spyOn(api.costs, "setBudget");
    await begin();
    await write("Owner", "stage");
    await write("US dollars a month", "much");
    await submit("Save");
    const errors = [...dialog()!.querySelectorAll(".error")].map(({ textContent }) => textContent);
    expect(errors).toEqual([
      "This name stands for the whole stage.",
      "Write an amount in US dollars, such as 20 or 12.50.",
    ]);
    expect(set).not.toHaveBeenCalled();
  });

  it("that the API refuses is said in the dialog, which stays with what was written", async () => {
    vi.spyOn(api.costs, "setBudget").mockRejectedValue(new Problem("not_permitted", 403, "no"));
    await begin();
    await write("Owner", "ben");
    await write("US dollars a month", "5");
    await submit("Save");
    expect(dialog()!.querySelector("[role=alert]")?.textContent).toBe(
      "Your key may not do this. Ask an admin of Darkroom.",
    );
    expect(dialog()!.querySelector<HTMLInputElement>("[inputmode=decimal]")?.value).toBe("5");
  });

  it("that would take the place of another one says so before", async () => {
    await begin();
    await write("Owner", "anna");
    expect(dialog()!.textContent).toContain("It takes the place of the budget of $20.00.");
  });

  it("is changed from what it is", async () => {
    const set = vi.spyOn(api.costs, "setBudget").mockResolvedValue({} as never);
    tells(STAGE);
    await open();
    await act(() => button("Change").click());
    expect(dialog()!.querySelector("h2")?.textContent).toBe("Change the budget: The whole stage");
    await write("US dollars a month", "150");
    await submit("Save");
    expect(set.mock.calls).toEqual([["stage", { monthly: 150, warn_at: 0.8 }]]);
  });

  it("is deleted after one question", async () => {
    const remove = vi.spyOn(api.costs, "removeBudget").mockResolvedValue(undefined);
    tells(STAGE);
    await open();
    await act(() => button("Delete", document.querySelectorAll(".cost-budget")[1]!).click());
    expect(remove).not.toHaveBeenCalled();
    await submit("Delete");
    expect(remove.mock.calls).toEqual([["anna"]]);
    expect([dialog(), asked.length]).toEqual([null, 2]);
  });
});
