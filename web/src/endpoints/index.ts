/** Endpoints: what they are doing, and creating, scaling and deleting them. */

export { Endpoints } from "./Endpoints";
export { stateOf, takesJobs, type StateKey } from "./state";
