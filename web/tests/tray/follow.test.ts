import { beforeEach, describe, expect, it } from "vitest";
import { Problem, type Job } from "../../src/api";
import { follow, following, pauseFor, type World } from "../../src/tray/follow";
import { gate } from "../../src/tray/gate";
import { ended, forget, jobOf, remember } from "../../src/tray/store";
import { job } from "../jobs";

const ID = job().id;

/** An API that answers in turn; what it was asked and how long was waited is kept. */
function world(...answers: (Partial<Job> | Problem)[]) {
  const told = { waits: [] as number[], slept: [] as number[], mended: 0 };
  const around: World = {
    wait: async (_, seconds) => {
      told.waits.push(seconds);
      const next = answers.shift();
      if (next === undefined) throw new Error("nothing more was to be asked");
      if (next instanceof Problem) throw next;
      return { data: job(next), retryAfter: next.phase === "waking" ? 15 : null };
    },
    sleep: async (milliseconds) => void told.slept.push(milliseconds),
    reachable: async () => void (told.mended += 1),
    hidden: () => false,
  };
  return { around, told };
}

beforeEach(() => {
  forget(ID);
  ended.value = null;
});

describe("a job that is followed", () => {
  it("is asked about until it has ended, and then its end is told once", async () => {
    const { around, told } = world(
      { status: "in_progress", phase: "waking" },
      { status: "in_progress", phase: "running", progress: 0.5 },
      { status: "succeed", progress: 1 },
    );
    await follow(ID, around);
    expect(jobOf(ID)?.status).toBe("succeed");
    expect(ended.value?.id).toBe(ID);
    expect(told.slept[0]).toBe(15_000);
    expect(following.value.has(ID)).toBe(false);
  });

  it("that had ended before is no news", async () => {
    await follow(ID, world({ status: "fail" }).around);
    expect(jobOf(ID)?.status).toBe("fail");
    expect(ended.value).toBeNull();
  });

  it("is found again after the connection was lost", async () => {
    const { around, told } = world(new Problem("offline", 0, ""), { status: "succeed" });
    await follow(ID, around);
    expect(told.mended).toBe(1);
    expect(jobOf(ID)?.status).toBe("succeed");
  });

  it("that somebody deleted is forgotten", async () => {
    remember(job({ status: "in_progress" }));
    await follow(ID, world(new Problem("job_not_found", 404, "")).around);
    expect(jobOf(ID)).toBeUndefined();
  });

  it("is followed once, however often it is asked for", async () => {
    const { around, told } = world({ status: "succeed" });
    await Promise.all([follow(ID, around), follow(ID, around)]);
    expect(told.waits).toHaveLength(1);
  });
});

it("leaves a longer pause the more jobs are open, and never a shorter one than the API asks for", () => {
  expect(pauseFor(null, 1)).toBe(200);
  expect(pauseFor(null, 100)).toBe(20_000);
  expect(pauseFor(5, 1)).toBe(5_000);
});

it("a gate lets its number through at once, and the others in their order", async () => {
  const through = gate(2);
  const done: (() => void)[] = [];
  const begun: number[] = [];
  const all = [1, 2, 3, 4].map((n) =>
    through(() => {
      begun.push(n);
      return new Promise<void>((resolve) => done.push(resolve));
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([1, 2]);
  done[0]!();
  await all[0];
  expect(begun).toEqual([1, 2, 3]);
  done[1]!();
  await all[1];
  expect(begun).toEqual([1, 2, 3, 4]);
});
