import { describe, expect, it } from "vitest";
import { Problem, type Job, type JobWish } from "../../src/api";
import { clearKept, readKept, writeKept } from "../../src/tray/keep";
import { deliver, sending, submit, type Way } from "../../src/tray/outbox";
import { job } from "../jobs";

const BODY: JobWish = { type: "txt2img", parameters: { prompt: "a pier" } };

/** An API that answers when it is told to. */
function way(...answers: (Job | Problem)[]) {
  const told = { keys: [] as string[], mended: 0, slept: [] as number[], clock: 0 };
  const around: Way = {
    create: async (_, key) => {
      told.keys.push(key);
      const next = answers.shift();
      if (!next) throw new Error("nothing more was to be sent");
      if (next instanceof Problem) throw next;
      return next;
    },
    sleep: async (milliseconds) => void told.slept.push(milliseconds),
    reachable: async () => void (told.mended += 1),
    now: () => told.clock,
  };
  return { around, told };
}

describe("a job that is submitted", () => {
  it("is sent again with the same key after the connection was lost", async () => {
    const { around, told } = way(new Problem("offline", 0, ""), new Problem("aws_busy", 503, "", [], null, 7), job());
    await submit({ ...BODY, endpoint: "lost" }, around);
    expect(new Set(told.keys).size).toBe(1);
    expect(told.keys).toHaveLength(3);
    expect(told).toMatchObject({ mended: 1, slept: [7000] });
  });

  it("is seen as being sent until it is answered", async () => {
    const { around } = way(job());
    const promise = submit({ ...BODY, endpoint: "seen" }, around);
    expect(sending.value.map(({ body }) => body.endpoint)).toEqual(["seen"]);
    await promise;
    expect(sending.value).toEqual([]);
  });

  it("is one job with two clicks, and two jobs when a person wants another one", async () => {
    const { around, told } = way(job(), job({ id: "2" }));
    const [first, second] = await Promise.all([submit(BODY, around), submit(BODY, around)]);
    expect(first).toBe(second);
    expect((await submit(BODY, around)).id).toBe(first.id);
    told.clock += 5_000;
    expect((await submit(BODY, around)).id).toBe("2");
    expect(new Set(told.keys).size).toBe(2);
  });

  it("that is refused says why, and is not kept", async () => {
    const { around } = way(new Problem("too_many_open_jobs", 429, "", [], null, 3));
    await expect(submit({ ...BODY, endpoint: "full" }, around)).rejects.toMatchObject({ code: "too_many_open_jobs" });
    expect(sending.value).toEqual([]);
  });

  it("before a reload goes on with the key that it had", async () => {
    const { around, told } = way(job());
    await deliver({ key: "k-1", body: BODY, at: 0 }, around);
    expect(told.keys).toEqual(["k-1"]);
  });
});

describe("what the tray keeps in the browser", () => {
  const kept = { wishes: [{ key: "k", body: BODY, at: 5 }], ids: ["1"], owner: "ann" };
  const storage = (held = new Map<string, string>()) => ({
    getItem: (name: string) => held.get(name) ?? null,
    setItem: (name: string, value: string) => void held.set(name, value),
    removeItem: (name: string) => void held.delete(name),
    text: () => [...held.values()].join(),
  });

  it("comes back as it was, and of the device it has ids alone", () => {
    const [device, own] = [storage(), storage()];
    writeKept(device, own, kept);
    expect(readKept(device, own)).toEqual(kept);
    expect(device.text()).toBe('["1"]');
    clearKept(device, own);
    expect(device.text() + own.text()).toBe("");
  });

  it("counts as nothing when it cannot be read", () => {
    const nothing = { wishes: [], ids: [], owner: null };
    for (const text of [null, "{", "3", '{"wishes": [{}], "owner": 1}', "[1]"]) {
      const broken = { getItem: () => text };
      expect(readKept(broken, broken)).toEqual(nothing);
    }
  });

  it("is given up without harm when the browser has no room", () => {
    const full = {
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    expect(() => writeKept(full, full, kept)).not.toThrow();
  });
});
