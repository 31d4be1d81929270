import { describe, expect, it } from "vitest";
import { hashOf, parse } from "../../src/app/route";

describe("a route", () => {
  it("is a path and a query behind the #", () => {
    const route = parse("#/history?status=fail&status=cancelled&q=a%20pier");
    expect(route.path).toEqual(["history"]);
    expect(route.query.getAll("status")).toEqual(["fail", "cancelled"]);
    expect(route.query.get("q")).toBe("a pier");
  });

  it("of nothing is the beginning", () => {
    expect(parse("").path).toEqual([]);
    expect(parse("#").path).toEqual([]);
  });

  it("keeps a question mark in the words of a query", () => {
    expect(parse("#/history?q=who?").query.get("q")).toBe("who?");
  });

  it("survives what cannot be decoded", () => {
    expect(parse("#/jobs/%E0%A4%A").path).toEqual(["jobs", "%E0%A4%A"]);
  });

  it("comes back from its hash as it was", () => {
    const query = new URLSearchParams({ q: "100% & more", checkpoint: "Ä/ö.safetensors" });
    const again = parse(hashOf(["jobs", "a/b"], query));
    expect(again.path).toEqual(["jobs", "a/b"]);
    expect([...again.query]).toEqual([...query]);
  });
});
