/** Endpoints: what they are doing, and creating, scaling and deleting them. */

export { Endpoints } from "./Endpoints";
export { stateOf, type StateKey } from "./state";
export {
  endpoints,
  isAsking as isAskingEndpoints,
  problem as endpointsProblem,
  refresh as refreshEndpoints,
} from "./store";
