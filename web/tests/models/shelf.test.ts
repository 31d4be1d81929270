import { afterEach, expect, it, vi } from "vitest";
import { api } from "../../src/api";
import { files, isAsking, loadMore, more, refresh, words } from "../../src/models/shelf";
import { file } from "../generate/files";

const names = () => files.value?.map(({ name }) => name);

/** The API's list, each answer of which comes when it is called for. */
function answers() {
  const waiting: ((names: string[], next?: string | null) => void)[] = [];
  vi.spyOn(api.checkpoints, "list").mockImplementation(
    () =>
      new Promise((resolve) =>
        waiting.push((found, next = null) => resolve({ checkpoints: found.map((name) => file("lora", name)), next })),
      ),
  );
  return waiting;
}

/** The first page is shown, and the answers to come. */
async function firstPage() {
  const answer = answers();
  const first = refresh();
  answer[0]!(["a", "b"], "b");
  await first;
  return answer;
}

afterEach(() => {
  vi.restoreAllMocks();
  files.value = null;
  words.value = "";
});

it("shows the next page behind the first, each file once", async () => {
  const answer = await firstPage();
  const second = loadMore();
  answer[1]!(["b", "c"]);
  await second;
  expect([names(), more.value, isAsking.value]).toEqual([["a", "b", "c"], null, false]);
});

it("takes no page of a filter that was changed while the page was on its way", async () => {
  const answer = await firstPage();
  const late = loadMore();
  words.value = "x";
  const search = refresh();
  answer[2]!(["x"]);
  await search;
  answer[1]!(["c"], "c");
  await late;
  expect([names(), more.value, isAsking.value]).toEqual([["x"], null, false]);
});
