import { describe, expect, it } from "vitest";
import { asQuery, dayOf, each, momentOf, NONE, read, without, write } from "../../src/history/filters";

const VIEW = "type=txt2img&type=img2img&status=fail&checkpoint=v1-5&q=a+pier&tag=sea&tag=dawn";

describe("the filters of an address", () => {
  it("come back as they were written", () => {
    expect(write(read(new URLSearchParams(VIEW))).toString()).toBe(VIEW);
    expect(write(NONE).toString()).toBe("");
  });

  it("leave out what the API would refuse", () => {
    const filters = read(
      new URLSearchParams("type=txt2img&type=unknown&status=&rating=9&rating=4&q=%20%20&nonsense=1"),
    );
    expect(filters).toEqual({ ...NONE, type: ["txt2img"], rating: ["4"] });
  });

  it("are the query of the API", () => {
    expect(asQuery(read(new URLSearchParams(VIEW)))).toEqual({
      type: ["txt2img", "img2img"],
      status: ["fail"],
      checkpoint: "v1-5",
      q: "a pier",
      tag: ["sea", "dawn"],
    });
  });

  it("can be taken away one by one", () => {
    const filters = read(new URLSearchParams(VIEW));
    const left = without(without(filters, "tag", "sea"), "q", "a pier");
    expect(each(left).map(({ name, value }) => `${name}:${value}`)).toEqual([
      "type:txt2img",
      "type:img2img",
      "status:fail",
      "checkpoint:v1-5",
      "tag:dawn",
    ]);
  });
});

describe("a day of a filter", () => {
  it("is the day of the person who chose it, from its first to its last second", () => {
    const [from, to] = [momentOf("2026-11-27", false), momentOf("2026-11-27", true)];
    expect(new Date(to).getTime() - new Date(from).getTime()).toBe(86_399_000);
    expect([dayOf(from), dayOf(to)]).toEqual(["2026-11-27", "2026-11-27"]);
    expect(from).toMatch(/^2026-11-27T00:00:00[+-]\d\d:\d\d$/);
  });

  it("that is no day filters nothing", () => {
    expect([momentOf("", false), dayOf(""), dayOf("soon")]).toEqual(["", "", ""]);
  });
});
