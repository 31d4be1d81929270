import { expect, it } from "vitest";
import { monthIn, months } from "../../src/costs/months";

const JANUARY = new Date("2026-01-31T23:30:00-05:00"); // in UTC it is February already

it("offers the months whose counts are kept, in UTC, the present one first", () => {
  const offered = months(JANUARY, null);
  expect([offered[0], offered[1], offered.at(-1), offered.length]).toEqual(["2026-02", "2026-01", "2025-02", 13]);
});

it("offers the month of the address in any case", () => {
  expect(months(JANUARY, "2024-05").at(-1)).toBe("2024-05");
  expect(months(JANUARY, "2026-01")).toHaveLength(13);
});

it("reads a month from an address, and takes what is none for the present one", () => {
  expect(monthIn(new URLSearchParams("month=2026-10"))).toBe("2026-10");
  for (const query of ["", "month=", "month=2026-13", "month=26-10", "month=2026-10-01"]) {
    expect(monthIn(new URLSearchParams(query))).toBeNull();
  }
});
