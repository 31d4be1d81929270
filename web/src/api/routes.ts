/** One function a route, with the types of docs/openapi.json. */
import { call, newKey, type Answer, type Call, type Query } from "./http";
import { steady } from "./links";
import { Problem } from "./problem";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Job = Schemas["JobOut"];
export type JobLine = Schemas["JobLineOut"];
export type JobPage = Schemas["JobPage"];
export type JobPicture = Schemas["PictureOut"];
export type JobEdit = Schemas["JobEditIn"];
export type Endpoint = Schemas["EndpointOut"];
export type EndpointShown = Schemas["EndpointShown"];
export type Hours = Schemas["HoursIn"];
export type Forecast = Schemas["ForecastOut"];
export type MonthCosts = Schemas["CostsOut"];
export type EndpointCost = Schemas["EndpointCostOut"];
export type OwnerCost = Schemas["OwnerCostOut"];
export type Budget = Schemas["BudgetOut"];
export type BudgetWish = Schemas["BudgetIn"];
export type Checkpoint = Schemas["CheckpointOut"];
export type ImageTicket = Schemas["ImageOut"];
export type DeletedJob = Schemas["DeletedJob"];
export type Deletion = Schemas["DeletionOut"];
export type Registered = Schemas["RegisteredOut"];
export type Parts = Schemas["PartsOut"];
export type JobQuery = NonNullable<paths["/jobs"]["get"]["parameters"]["query"]>;
export type CheckpointQuery = NonNullable<paths["/checkpoints"]["get"]["parameters"]["query"]>;

/** What a caller may write: fields that have a default in the schema may be left out. */
type Loose<T> = { [K in keyof T]?: T[K] };
export type JobWish = Pick<Schemas["JobIn"], "type"> &
  Loose<Omit<Schemas["JobIn"], "type" | "parameters" | "models">> & {
    parameters?: Record<string, unknown>;
    models?: Loose<Schemas["ModelsIn"]>;
  };
export type CheckpointWish = Pick<Schemas["CheckpointIn"], "kind" | "name" | "size"> & Loose<Schemas["CheckpointIn"]>;
export type ImportWish = Pick<Schemas["ImportIn"], "kind" | "url"> & Loose<Schemas["ImportIn"]>;
export type EndpointWish = Loose<Schemas["EndpointIn"]>;

async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  return (await answer).data;
}

/** For a deletion: when its answer was lost, the second try finds nothing, and that is what was wished. */
async function gone(answer: Promise<Answer<void>>): Promise<void> {
  try {
    await answer;
  } catch (fault) {
    if (!(fault instanceof Problem && fault.status === 404)) throw fault;
  }
}

/** The line with a link that does not change with every answer. */
function lineSteady<T extends JobLine>(line: T): T {
  return { ...line, thumbnail: line.thumbnail && steady(line.thumbnail) };
}

function jobSteady(job: Job): Job {
  const images = job.images.map((one) => ({
    ...one,
    url: steady(one.url),
    thumbnail: one.thumbnail && steady(one.thumbnail),
  }));
  return { ...lineSteady(job), images, inputs: job.inputs.map((one) => ({ ...one, url: steady(one.url) })) };
}

const job = async (wish: Call) => jobSteady((await call<Job>(wish)).data);

const segment = encodeURIComponent;

const jobs = {
  /** Submits a job; the same wish with the same key makes one job, however often it is sent. */
  create: (body: JobWish, key: string = newKey()) => job({ method: "POST", path: "/jobs", body, idempotencyKey: key }),
  list: async (query: JobQuery = {}, signal?: AbortSignal): Promise<JobPage> => {
    const page = (await call<JobPage>({ path: "/jobs", query: query as Query, signal })).data;
    return { ...page, jobs: page.jobs.map(lineSteady) };
  },
  get: (id: string, signal?: AbortSignal) => job({ path: `/jobs/${segment(id)}`, signal }),
  /** Waits up to `seconds` for the job's end where that is worth it; `retryAfter` says when to ask again. */
  wait: async (id: string, seconds: number, signal?: AbortSignal): Promise<Answer<Job>> => {
    const answer = await call<Job>({ path: `/jobs/${segment(id)}`, query: { wait: seconds }, signal });
    return { ...answer, data: jobSteady(answer.data) };
  },
  edit: (id: string, body: JobEdit) => job({ method: "PATCH", path: `/jobs/${segment(id)}`, body }),
  /** Deletes a job. One that is not there any more counts as deleted. */
  remove: (id: string) => gone(call<void>({ method: "DELETE", path: `/jobs/${segment(id)}` })),
  cancel: (id: string) => job({ method: "POST", path: `/jobs/${segment(id)}/cancel`, repeatable: true }),
  replay: (id: string, key: string = newKey()) =>
    job({ method: "POST", path: `/jobs/${segment(id)}/replay`, idempotencyKey: key }),
  /** Deletes up to 100 jobs by id, and tells what became of each. */
  removeMany: (ids: string[], key: string = newKey()) =>
    data(call<{ jobs: DeletedJob[] }>({ method: "POST", path: "/jobs/delete", body: { ids }, idempotencyKey: key })),
};

const endpoints = {
  list: (signal?: AbortSignal) => data(call<{ endpoints: Endpoint[] }>({ path: "/endpoints", signal })),
  get: (name: string) => data(call<EndpointShown>({ path: `/endpoints/${segment(name)}` })),
  create: (body: EndpointWish, key: string = newKey()) =>
    data(call<Endpoint>({ method: "POST", path: "/endpoints", body, idempotencyKey: key })),
  scale: (name: string, body: Loose<Schemas["EndpointPatch"]>) =>
    data(call<Endpoint>({ method: "PATCH", path: `/endpoints/${segment(name)}`, body })),
  /** Keeps it awake for so many hours from now; sent again, the later end counts. */
  warm: (name: string, hours: number) =>
    data(
      call<Schemas["WarmOut"]>({
        method: "POST",
        path: `/endpoints/${segment(name)}/warm`,
        query: { for: `${hours}h` },
        repeatable: true,
      }),
    ),
  endWarm: (name: string) => data(call<Endpoint>({ method: "DELETE", path: `/endpoints/${segment(name)}/warm` })),
  remove: (name: string) => data(call<Endpoint | undefined>({ method: "DELETE", path: `/endpoints/${segment(name)}` })),
};

const checkpoints = {
  list: (query: CheckpointQuery = {}, signal?: AbortSignal) =>
    data(call<Schemas["CheckpointList"]>({ path: "/checkpoints", query: query as Query, signal })),
  register: (body: CheckpointWish, key: string = newKey()) =>
    data(call<Registered>({ method: "POST", path: "/checkpoints", body, idempotencyKey: key })),
  parts: (body: Schemas["PartsIn"]) =>
    data(call<Parts>({ method: "POST", path: "/checkpoints/parts", body, repeatable: true })),
  complete: (body: Schemas["ModelIn"]) =>
    data(call<Checkpoint>({ method: "POST", path: "/checkpoints/complete", body, repeatable: true })),
  rename: (body: Schemas["RenameIn"]) =>
    data(call<Checkpoint>({ method: "POST", path: "/checkpoints/rename", body, repeatable: true })),
  fetchFrom: (body: ImportWish, key: string = newKey()) =>
    data(call<Checkpoint>({ method: "POST", path: "/checkpoints/import", body, idempotencyKey: key })),
  remove: (kind: Checkpoint["kind"], name: string) =>
    gone(call<void>({ method: "DELETE", path: "/checkpoints", query: { kind, name } })),
};

/** `owner` is `stage` for the budget of the whole stage. */
const budgetPath = (owner: string) => `/budgets/${segment(owner)}`;

const costs = {
  /** The costs of a month, as in `2026-11`; of the present one for null. */
  get: (month: string | null, signal?: AbortSignal) =>
    data(call<MonthCosts>({ path: "/costs", query: { month }, signal })),
  setBudget: (owner: string, body: BudgetWish) =>
    data(call<Schemas["BudgetSet"]>({ method: "PUT", path: budgetPath(owner), body })),
  removeBudget: (owner: string) => gone(call<void>({ method: "DELETE", path: budgetPath(owner) })),
};

const images = {
  /** Says whether Darkroom has these bytes (`upload` is null), or where to send them. Sending it twice does no harm. */
  create: (body: Schemas["ImageIn"]) =>
    data(call<ImageTicket>({ method: "POST", path: "/images", body, repeatable: true })),
};

const ping = () => data(call<Schemas["Pong"]>({ path: "/ping" }));

export const api = { ping, jobs, endpoints, checkpoints, costs, images };
