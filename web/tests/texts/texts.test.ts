import { afterEach, describe, expect, it } from "vitest";
import { duration, fill, language, names, preferred, price, size, texts } from "../../src/texts";

afterEach(() => {
  language.value = "en";
});

describe("a text", () => {
  const t = texts({
    en: { plain: "Save", count: "{n} {n|job|jobs}" },
    "zh-CN": { plain: "保存", count: "{n} 个任务" },
    ja: { plain: "保存", count: "ジョブ {n} 件" },
  });

  it("follows the language", () => {
    expect(t("plain")).toBe("Save");
    language.value = "ja";
    expect(t("count", { n: 1234 })).toBe("ジョブ 1,234 件");
  });

  it("takes the word for one or for several", () => {
    expect(t("count", { n: 1 })).toBe("1 job");
    expect(t("count", { n: 0 })).toBe("0 jobs");
  });

  it("is not read as a pattern when a value looks like one", () => {
    expect(fill("{who} said {what}", { who: "$&", what: "{who}" }, "en")).toBe("$& said {who}");
  });

  it("names what it takes", () => {
    expect(names("{n} {n|job|jobs} of {owner}")).toEqual(["n", "owner"]);
  });
});

it("takes the first language of a browser that the page has", () => {
  expect(preferred(["de-DE", "ja-JP", "en"])).toBe("ja");
  expect(preferred(["zh-TW"])).toBe("zh-CN");
  expect(preferred(["fr"])).toBe("en");
});

describe("numbers", () => {
  it("of seconds read as a person says them", () => {
    expect([0.84, 42, 185, 7440].map((seconds) => duration(seconds))).toEqual([
      "0.8 sec",
      "42 sec",
      "3 min 5 sec",
      "2 hr 4 min",
    ]);
  });

  it("of small prices keep the digits that tell them apart", () => {
    const prices = [0.0012, 0.00003456, 0.08, 3.5, 0];
    expect(prices.map((dollars) => price(dollars))).toEqual(["$0.0012", "$0.000035", "$0.08", "$3.50", "$0.00"]);
  });

  it("of bytes take the unit that reads best", () => {
    expect([512, 4_265_146_304].map((bytes) => size(bytes))).toEqual(["512 bytes", "4.3 GB"]);
  });
});
