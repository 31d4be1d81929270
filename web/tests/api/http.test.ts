import { beforeEach, describe, expect, it } from "vitest";
import { online } from "../../src/api/connection";
import { address, call, pauseBefore, PAUSES, type Surroundings } from "../../src/api/http";
import { Problem } from "../../src/api/problem";

/** The API as it answers in turn; what it was sent is kept. */
function answering(...answers: (Response | Error)[]) {
  const sent: { url: string; init: RequestInit }[] = [];
  const slept: number[] = [];
  const keys: (string | undefined)[] = [];
  const around: Surroundings = {
    fetch: async (url, init) => {
      sent.push({ url: String(url), init: init ?? {} });
      const next = answers.shift();
      if (next === undefined) throw new Error("nothing more was to be sent");
      if (next instanceof Error) throw next;
      return next;
    },
    sleep: async (milliseconds) => void slept.push(milliseconds),
    key: async (refused) => {
      keys.push(refused);
      return refused === undefined ? "first" : "second";
    },
  };
  return { around, sent, slept, keys };
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers });
const problem = (code: string, status: number, headers: Record<string, string> = {}) =>
  json({ code, detail: `it is ${code}`, title: "", request_id: "r-1" }, status, headers);
const lost = () => new TypeError("Failed to fetch");
const header = (init: RequestInit, name: string) => (init.headers as Record<string, string>)[name];

describe("a call", () => {
  beforeEach(() => {
    online.value = true;
  });

  it("carries the key in its header and nowhere else", async () => {
    const { around, sent } = answering(json({ jobs: [] }));
    await call({ path: "/jobs", query: { type: ["txt2img", "img2img"], q: "a pier", owner: null } }, around);
    expect(sent[0]?.url).toBe("/api/jobs?type=txt2img&type=img2img&q=a+pier");
    expect(header(sent[0]!.init, "Authorization")).toBe("Bearer first");
  });

  it("sends what got no answer again, with the same Idempotency-Key", async () => {
    const { around, sent, slept } = answering(lost(), problem("aws_busy", 503), json({ id: "1" }, 201));
    const wish = { method: "POST", path: "/jobs", body: { type: "txt2img" }, idempotencyKey: "k" } as const;
    expect((await call<{ id: string }>(wish, around)).data.id).toBe("1");
    expect(sent.map(({ init }) => header(init, "Idempotency-Key"))).toEqual(["k", "k", "k"]);
    expect(slept).toEqual([PAUSES[0], PAUSES[1]]);
  });

  it("sends a POST without an Idempotency-Key once", async () => {
    const { around, sent } = answering(lost());
    await expect(call({ method: "POST", path: "/x", body: {} }, around)).rejects.toMatchObject({ code: "offline" });
    expect(sent).toHaveLength(1);
  });

  it("says that the API cannot be reached after the last try, and that it can with the next answer", async () => {
    const { around } = answering(lost(), lost(), lost(), lost(), json({}));
    await expect(call({ path: "/ping" }, around)).rejects.toBeInstanceOf(Problem);
    expect(online.value).toBe(false);
    await call({ path: "/ping" }, around);
    expect(online.value).toBe(true);
  });

  it("asks for another key when one is refused, and goes on with it", async () => {
    const { around, sent, keys } = answering(problem("unauthenticated", 401), json({}));
    await call({ path: "/ping" }, around);
    expect(keys).toEqual([undefined, "first"]);
    expect(header(sent[1]!.init, "Authorization")).toBe("Bearer second");
  });

  it("tells what the API refused, with its code, words and number", async () => {
    const { around } = answering(problem("job_settled", 409));
    const fault = await call({ path: "/jobs/1" }, around).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "job_settled", status: 409, message: "it is job_settled", requestId: "r-1" });
  });

  it("keeps the status of an answer that is no problem document", async () => {
    const { around } = answering(new Response("<html>", { status: 403 }));
    await expect(call({ path: "/jobs" }, around)).rejects.toMatchObject({ code: "http_403", status: 403 });
  });

  it("hands over what Retry-After says beside a good answer", async () => {
    const { around } = answering(json({}, 200, { "Retry-After": "15" }));
    expect((await call({ path: "/jobs/1" }, around)).retryAfter).toBe(15);
  });

  it("that was given up says so, and the API still counts as reachable", async () => {
    const stop = new AbortController();
    const { around } = answering(lost());
    stop.abort(new Error("left the page"));
    await expect(call({ path: "/jobs", signal: stop.signal }, around)).rejects.toThrow("left the page");
    expect(online.value).toBe(true);
  });
});

describe("the pause before the next try", () => {
  const busy = (retryAfter: number | null) => new Problem("rate_limited", 429, "", [], null, retryAfter);

  it("is what Retry-After asks for, if a person would wait that long", () => {
    expect(pauseBefore(busy(7), 0)).toBe(7000);
    expect(pauseBefore(busy(60), 0)).toBeNull();
    expect(pauseBefore(busy(null), 1)).toBe(PAUSES[1]);
  });

  it("is none for what another try would not change", () => {
    expect(pauseBefore(new Problem("invalid_request", 422, ""), 0)).toBeNull();
    expect(pauseBefore(new Problem("internal_error", 500, ""), 0)).toBeNull();
    expect(pauseBefore(busy(1), PAUSES.length)).toBeNull();
  });
});

it("leaves out what is not set in an address", () => {
  expect(address("/jobs", { before: undefined, limit: 10, tag: [] })).toBe("/api/jobs?limit=10");
});
