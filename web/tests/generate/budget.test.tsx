// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import type { Budget } from "../../src/api";
import { endpoints } from "../../src/endpoints";
import { cloud, states } from "../../src/generate/forms";
import { generate } from "../../src/generate/sending";
import { files } from "../../src/generate/shelf";
import { Remarks } from "../../src/generate/Toprow";
import { language } from "../../src/texts";
import { budget } from "../costs/costs";
import { job } from "../jobs";
import { endpoint, file } from "./files";

const NEAR = budget({ spent: 16, expected: 1, used: 0.85, warning: true });
const REFUSAL = "anna may spend 20.00 dollars a month. 19.80 are spent.";
let made = 0;

/** The API as it answers *Generate on Cloud*; its job has ended as soon as anybody asks. */
function answering(answer: Response): typeof fetch {
  return async (_, init) => (init?.method === "POST" ? answer : Response.json(job({ id: `job-${made}` })));
}

/** Clicks *Generate on Cloud*. */
async function click(answer: Response) {
  files.value = [file("stable-diffusion", "sd.safetensors")];
  endpoints.value = [endpoint("e", "InService")];
  cloud.checkpoint.value = "sd.safetensors";
  made += 1; // the same wish twice in a row is one job
  states.txt2img.fields.prompt.value = `a pier, ${made}`;
  sessionStorage.setItem("darkroom.key", "dk_test");
  vi.stubGlobal("fetch", answering(answer));
  await act(() => render(<Remarks state={states.txt2img} />, document.body));
  await act(async () => void (await generate("txt2img")));
}

const making = (told: Budget | null) => Response.json(job({ id: `job-${made + 1}`, budget: told }), { status: 201 });
const refusing = () => Response.json({ code: "budget_spent", detail: REFUSAL }, { status: 402 });
const words = () => document.body.textContent;

afterEach(() => {
  render(null, document.body);
  vi.unstubAllGlobals();
  language.value = "en";
});

it("a budget that is nearly spent is told where jobs are made, until a job's answer tells of none", async () => {
  await click(making(NEAR));
  expect(words()).toContain("85% of this month's budget of $20.00 for anna is used");
  expect(document.querySelector("a")?.getAttribute("href")).toBe("#/costs");
  await click(making({ ...NEAR, owner: null }));
  expect(words()).toContain("for the whole stage");
  await click(making(null));
  expect(words()).toBe("");
});

it("a job that a spent budget refuses is told in the language of the page, with the numbers of the API", async () => {
  await click(refusing());
  expect(document.querySelector("[role=alert]")?.textContent).toBe(
    `The budget for this month is spent, with what open jobs are expected to cost. ${REFUSAL}`,
  );
  language.value = "zh-CN";
  await click(refusing());
  expect(words()).toContain("本月预算已用完");
  expect(words()).toContain(REFUSAL);
});
