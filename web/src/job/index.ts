export { jobOfPicture, tracesOf } from "./dropped";
export { JobButtons } from "./JobButtons";
export { JobPage } from "./JobPage";
export { openJob } from "./open";
