import { describe, expect, it } from "vitest";
import type { Hours } from "../../src/api";
import { costOf, hoursAMonth, hoursFault, hoursWords } from "../../src/endpoints/hours";

const OFFICE: Hours = {
  days: ["mon", "tue", "wed", "thu", "fri"],
  from: "09:00",
  to: "18:00",
  time_zone: "Europe/Berlin",
};

describe("working hours", () => {
  it("cost what one instance costs in them in a month", () => {
    expect(hoursAMonth(OFFICE)).toBeCloseTo(195.67, 2);
    expect(hoursAMonth({ ...OFFICE, days: ["sat"], from: "22:00", to: "06:00" })).toBeCloseTo(34.79, 2);
    expect(hoursAMonth({ ...OFFICE, days: ["sat"], from: "00:00", to: "24:00" })).toBeCloseTo(104.36, 2);
    expect(costOf({ dollars_an_hour: 1.41 }, 2)).toBeCloseTo(2.82, 2);
    expect(costOf({ dollars_an_hour: null }, 2)).toBeNull();
  });

  it("are told in a line, days in a row by the first and the last", () => {
    expect(hoursWords(OFFICE)).toBe("Mon–Fri 09:00–18:00, Europe/Berlin");
    expect(hoursWords({ ...OFFICE, days: ["sun", "mon", "wed"] })).toBe("Mon, Wed, Sun 09:00–18:00, Europe/Berlin");
    expect(hoursWords({ ...OFFICE, days: ["sat"] })).toBe("Sat 09:00–18:00, Europe/Berlin");
  });

  it("are looked at before they are sent", () => {
    expect(hoursFault(OFFICE)).toBeNull();
    expect(hoursFault({ ...OFFICE, days: [] })).toBe("daysMissing");
    expect(hoursFault({ ...OFFICE, to: "" })).toBe("timesMissing");
    expect(hoursFault({ ...OFFICE, to: "09:00" })).toBe("timesSame");
    expect(hoursFault({ ...OFFICE, time_zone: " " })).toBe("zoneMissing");
  });
});
