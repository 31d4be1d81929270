/** What an endpoint's state means for somebody who wants to use it. */

import type { Endpoint } from "../api";

export type StateKey =
  | "awake"
  | "asleep"
  | "waking"
  | "changing"
  | "creating"
  | "deleting"
  | "broken"
  | "unusual";

/** Statuses in which SageMaker takes jobs: in service, or changing its instances, which waking is, too (API reference,
 * EndpointSummary). */
export const SERVING = new Set(["InService", "Updating", "SystemUpdating", "RollingBack"]);
/** Statuses that end by themselves. */
const PASSING = new Set(["Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"]);

/** The state of an endpoint in one word of ours. */
export function stateOf(endpoint: Pick<Endpoint, "status" | "deleting" | "instances" | "wanted_instances">): StateKey {
  const { status, deleting, instances, wanted_instances: wanted } = endpoint;
  if (deleting) return "deleting";
  if (status === "Creating") return "creating";
  if (status === "Failed" || status === "UpdateRollbackFailed") return "broken";
  if (!SERVING.has(status)) return "unusual";
  if (instances === 0) return wanted > 0 ? "waking" : "asleep";
  return status === "InService" ? "awake" : "changing";
}

/** Whether a job may be sent there now. */
export function takesJobs(endpoint: Pick<Endpoint, "status" | "deleting">): boolean {
  return !endpoint.deleting && SERVING.has(endpoint.status);
}

/** Whether the state will change without anybody doing something, so that it is worth asking again soon. */
export function isPassing(endpoint: Pick<Endpoint, "status" | "deleting" | "instances" | "wanted_instances">): boolean {
  return endpoint.deleting || PASSING.has(endpoint.status) || endpoint.instances !== endpoint.wanted_instances;
}
