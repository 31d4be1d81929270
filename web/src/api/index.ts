export { mend, online } from "./connection";
export { explain } from "./explain";
export { call, checkKey, newKey, pause } from "./http";
export { asked, cleaned, forgetKey, keyStorage, storedKey, useKey } from "./key";
export { dropLink } from "./links";
export { Problem, type FieldProblem } from "./problem";
export * from "./routes";
