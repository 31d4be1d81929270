import { afterEach, describe, expect, it } from "vitest";
import { language, roughly } from "../../src/texts";
import { usualWords, waitWords } from "../../src/tray/words";
import { job } from "../jobs";

const FORECAST = { median: 184.2, ninth_decile: 271, wake_ups: 10 };
const waiting = { status: "in_progress" } as const;

afterEach(() => {
  language.value = "en";
});

describe("what an open job waits for", () => {
  it("says for how long as a rule, and its place in line", () => {
    expect(waitWords(job({ ...waiting, forecast: FORECAST, place: 2 }))).toBe(
      "The first picture usually takes 3 min, nearly always under 5 min. 2 jobs are before it.",
    );
    expect(waitWords(job({ ...waiting, place: 1 }))).toBe("1 job is before it.");
    expect(waitWords(job({ ...waiting, place: 0 }))).toBe("It is the first in line.");
  });

  it("says nothing where nothing is known, and nothing of a job that has ended", () => {
    expect(waitWords(job(waiting))).toBe("");
    expect(waitWords(job({ status: "succeed", forecast: FORECAST, place: 1 }))).toBe("");
  });

  it("makes no rule of one wake-up, and tells the same time once", () => {
    expect(usualWords({ ...FORECAST, wake_ups: 1 })).toBe("Last time the first picture took 3 min.");
    expect(usualWords({ ...FORECAST, ninth_decile: 180 })).toBe(
      "The first picture usually takes 3 min, hardly ever longer.",
    );
  });

  it("says it in each language", () => {
    const told = job({ ...waiting, forecast: FORECAST, place: 2 });
    language.value = "zh-CN";
    expect(waitWords(told)).toBe("第一张图片通常需要3分钟，几乎总在5分钟以内。 前面还有 2 个任务。");
    language.value = "ja";
    expect(waitWords(told)).toBe("最初の画像まで通常 3 分、ほとんどの場合 5 分 以内です。 前に 2 件のジョブがあります。");
  });
});

describe("a time in a round number", () => {
  it.each([
    [0, "10 sec", "10 sec"],
    [44, "40 sec", "50 sec"],
    [119, "2 min", "2 min"],
    [241, "4 min", "5 min"],
    [7210, "2 hr", "2 hr 1 min"],
  ])("%d seconds", (seconds, told, atMost) => {
    expect([roughly(seconds), roughly(seconds, true)]).toEqual([told, atMost]);
  });
});
