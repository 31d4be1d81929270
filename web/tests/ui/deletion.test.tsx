// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it } from "vitest";
import { Problem, useAttempt } from "../../src/api";
import { ConfirmDeletion } from "../../src/ui";

afterEach(() => render(null, document.body));

it("a dialog deletes once however often it is asked, says why it could not, and may be tried again", async () => {
  let tries = 0;
  let fail: (fault: Problem) => void = () => {};
  let done: Promise<void> | undefined;
  const remove = () => {
    tries += 1;
    return new Promise<void>((_, reject) => (fail = reject));
  };
  function Asking() {
    const { busy, problem, run } = useAttempt();
    return (
      <ConfirmDeletion
        title="It"
        busy={busy.value}
        problem={problem.value}
        onDelete={() => {
          done = run(remove);
        }}
        onClose={() => {}}
      >
        what is lost
      </ConfirmDeletion>
    );
  }
  await act(() => render(<Asking />, document.body));
  const button = [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Delete")!;
  await act(() => button.click());
  await act(() => button.click());
  expect([tries, button.getAttribute("aria-busy")]).toEqual([1, "true"]);
  await act(async () => {
    fail(new Problem("refused", 409, "It is in use."));
    await done;
  });
  expect(document.querySelector("[role=alert]")?.textContent).toBe("It is in use.");
  await act(() => button.click());
  expect(tries).toBe(2);
  expect(document.querySelector("[role=alert]")).toBeNull();
});
