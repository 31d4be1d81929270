import { go } from "../app/route";

/** Goes to the page of a job. */
export function openJob(id: string): void {
  go(`#/jobs/${encodeURIComponent(id)}`);
}
