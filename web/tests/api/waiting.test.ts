import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { poll, until } from "../../src/api";

const page = { hidden: false };

beforeEach(() => {
  vi.useFakeTimers();
  page.hidden = false;
  vi.stubGlobal("document", page);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("asks at once and after each pause, but not while nobody sees the page, until it is stopped", async () => {
  const ask = vi.fn(() => Promise.resolve());
  const stop = poll(ask, () => 1_000);
  expect(ask).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ask).toHaveBeenCalledTimes(2);
  page.hidden = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(ask).toHaveBeenCalledTimes(2);
  page.hidden = false;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ask).toHaveBeenCalledTimes(3);
  stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(ask).toHaveBeenCalledTimes(3);
});

it("asks no more when it is stopped while an answer is on its way", async () => {
  let answer = () => {};
  const ask = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)));
  const stop = poll(ask, () => 0);
  stop();
  answer();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ask).toHaveBeenCalledTimes(1);
});

it("waits until what it was told holds, and at once where it holds already", async () => {
  const count = signal(0);
  const reached = vi.fn();
  const waiting = until(() => count.value >= 2).then(reached);
  count.value = 1;
  await Promise.resolve();
  expect(reached).not.toHaveBeenCalled();
  count.value = 2;
  await waiting;
  expect(reached).toHaveBeenCalledOnce();
  await until(() => true);
});
