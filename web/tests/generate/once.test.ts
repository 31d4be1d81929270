import { expect, test } from "vitest";
import { Problem } from "../../src/api";
import { Once, SAME_CLICK } from "../../src/generate/once";

/** A sender that notes the keys, and is answered by hand. */
function sender() {
  const keys: string[] = [];
  const answers: { resolve: (id: string) => void; reject: (fault: unknown) => void }[] = [];
  const send = (key: string) => {
    keys.push(key);
    return new Promise<string>((resolve, reject) => answers.push({ resolve, reject }));
  };
  return { keys, answers, send };
}

test("a second click while the first is on its way sends nothing", async () => {
  const { keys, answers, send } = sender();
  const once = new Once<string>(() => 0);
  const both = [once.send("a", send), once.send("a", send)];
  answers[0]?.resolve("job-1");
  expect(await Promise.all(both)).toEqual(["job-1", "job-1"]);
  expect(keys).toHaveLength(1);
});

test("the second half of a double click is the same click, also when the answer was faster", async () => {
  let now = 0;
  const { keys, answers, send } = sender();
  const once = new Once<string>(() => now);
  const first = once.send("a", send);
  answers[0]?.resolve("job-1");
  await first;
  now = SAME_CLICK - 1;
  expect(await once.send("a", send)).toBe("job-1");
  now = SAME_CLICK;
  void once.send("a", send);
  expect(new Set(keys).size).toBe(2);
});

test("another wish is another job at once", () => {
  const { keys, send } = sender();
  const once = new Once<string>(() => 0);
  void once.send("a", send);
  void once.send("b", send);
  expect(new Set(keys).size).toBe(2);
});

test("what may have been done is sent again with the same key, what was refused with another one", async () => {
  const { keys, answers, send } = sender();
  const once = new Once<string>(() => 0);
  for (const [index, fault] of [new Problem("offline", 0, ""), new Problem("invalid_request", 422, "no")].entries()) {
    const sent = once.send("a", send);
    answers[index]?.reject(fault);
    await expect(sent).rejects.toBe(fault);
  }
  void once.send("a", send);
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[1]);
});
