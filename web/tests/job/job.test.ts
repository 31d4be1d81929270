import { describe, expect, it } from "vitest";
import { tracesOf } from "../../src/job/dropped";
import { fields, fileName, knownError, promptOf, stretches } from "../../src/job/facts";
import { fitted, moved, zoomed } from "../../src/job/zoom";
import { job } from "../jobs";

describe("the facts of a job", () => {
  it("tell how long it waited, loaded and ran", () => {
    const timings = { queued: 2, model: null, download: 3, load: 1, run: 5 };
    expect(stretches({ timings })).toEqual([
      { name: "waiting", seconds: 2 },
      { name: "loading", seconds: 4 },
      { name: "running", seconds: 5 },
    ]);
  });

  it("take the time of older workers, and leave out what nobody measured", () => {
    expect(stretches({ timings: { queued: null, model: 7, download: null, load: null, run: null } })).toEqual([
      { name: "loading", seconds: 7 },
    ]);
    expect(stretches({ timings: null })).toEqual([]);
  });

  it("have the whole prompt, and the other fields as they were sent", () => {
    const whole = job({ parameters: { prompt: "a long one", steps: 20, hr: null, styles: ["x"] }, prompt: "a lo" });
    expect(promptOf(whole, "prompt")).toBe("a long one");
    expect(fields(whole.parameters)).toEqual([
      ["steps", "20"],
      ["styles", '["x"]'],
    ]);
  });

  it("name a saved file after the job, with the extension that it has", () => {
    expect(fileName(job(), "jobs/x/output/1.webp", 1)).toBe(`${job().id}-2.webp`);
  });

  it("know the errors that Darkroom gives from those of a worker", () => {
    expect([knownError("expired"), knownError("out_of_memory")]).toEqual(["expired", null]);
  });
});

describe("a zoomed picture", () => {
  const picture = { width: 1000, height: 500 };
  const box = { width: 400, height: 400 };

  it("fits the window, and is not blown up", () => {
    expect(fitted(picture, box).scale).toBeCloseTo(0.4);
    expect(fitted({ width: 64, height: 64 }, box).scale).toBe(1);
  });

  it("keeps the point under the pointer where it is", () => {
    const before = { scale: 1, x: 30, y: -10 };
    const at = { x: 100, y: 50 };
    const after = zoomed(before, 2, at);
    const under = (view: typeof before) => ({ x: (at.x - view.x) / view.scale, y: (at.y - view.y) / view.scale });
    expect(under(after)).toEqual(under(before));
  });

  it("stays in sight however far it is moved", () => {
    expect(moved({ scale: 0.4, x: 0, y: 0 }, { x: 9999, y: -9999 }, picture, box)).toEqual({
      scale: 0.4,
      x: 360,
      y: -260,
    });
  });
});

describe("the traces of a picture", () => {
  it("are its seed and whole words of its prompt", () => {
    const traces = tracesOf("word ".repeat(60), new Map([["Seed", "7"]]));
    expect(traces?.seed).toBe(7);
    expect(traces?.words.endsWith("word")).toBe(true);
    expect(traces!.words.length).toBeLessThanOrEqual(120);
  });

  it("are none without a seed", () => {
    expect(tracesOf("a pier", new Map([["Seed", "-1"]]))).toBeNull();
    expect(tracesOf("a pier", new Map())).toBeNull();
  });
});
