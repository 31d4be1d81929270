/** The shelf of model files. */

export { kindName } from "./kinds";
export { Models } from "./Models";
