/** The job that a tab made last, as the tray hears of it. */
import type { Job } from "../api";
import { jobOf } from "../tray";
import type { Tab } from "./fields";
import { outcomes } from "./sending";

/** The last job of a tab as it stands now; null before the first, and when it was deleted. */
export function latestOf(tab: Tab): Job | null {
  const { job } = outcomes[tab].value;
  return job ? (jobOf(job.id) ?? null) : null;
}

/** The seeds of the first picture of the last job, for *reuse seed*; null before there is one. */
export function lastSeeds(tab: Tab): { seed: number | null; subseed: number | null } {
  const picture = latestOf(tab)?.images[0];
  const said = /Variation seed: (\d+)/.exec(picture?.infotext ?? "")?.[1];
  return { seed: picture?.seed ?? null, subseed: said ? Number(said) : null };
}
