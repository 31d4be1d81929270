/** The tray's jobs: those submitted here, and those of the same owner that are open elsewhere. */
import { effect, signal } from "@preact/signals";
import { api, explain, keyStorage, online, Problem, type Job, type JobWish } from "../api";
import { toast } from "../ui";
import { follow, following } from "./follow";
import { clearKept, KEY_LIVES, readKept, writeKept } from "./keep";
import { deliver, sending, submit } from "./outbox";
import { OPEN, remember } from "./store";
import { t } from "./texts";

/** Ids of the tray's jobs, newest first: open ones, and those that ended until they are put away. */
export const shown = signal<readonly string[]>([]);
const owner = signal<string | null>(null);
const MOST = 60;
const LOOK_AROUND = 20_000;

/** Puts a job into the tray and follows it to its end. */
export function track(job: Job | string): void {
  const id = typeof job === "string" ? job : job.id;
  if (typeof job !== "string") remember(job);
  if (!shown.peek().includes(id)) shown.value = [id, ...shown.peek()].sort().reverse().slice(0, MOST);
  void follow(id);
}

/** Takes a job out of the tray. It stays in the history. */
export function putAway(id: string): void {
  shown.value = shown.peek().filter((other) => other !== id);
}

/** Submits a job and puts it into the tray; see `submit` for what a second click and a lost connection do. */
export async function send(body: JobWish): Promise<Job> {
  return arrived(await submit(body));
}

function arrived(job: Job): Job {
  owner.value = job.owner;
  track(job);
  return job;
}

/** Begins: what an earlier visit left is sent and followed, and open jobs of other devices are looked for. */
export function startTray(): void {
  const kept = readKept(localStorage, keyStorage());
  owner.value = kept.owner;
  for (const id of kept.ids) track(id);
  for (const wish of kept.wishes) {
    if (Date.now() - wish.at > KEY_LIVES) toast(t("tooOld"), { kind: "error" });
    else deliver(wish).then(arrived, (fault: unknown) => toast(explain(fault), { kind: "error" }));
  }
  effect(() =>
    writeKept(localStorage, keyStorage(), { wishes: [...sending.value], ids: [...shown.value], owner: owner.value }),
  );
  const look = () => {
    if (!document.hidden && online.peek()) void lookAround();
  };
  setInterval(look, LOOK_AROUND);
  document.addEventListener("visibilitychange", look);
  effect(() => {
    if (online.value) queueMicrotask(look);
  });
}

/** Finds open jobs that were submitted elsewhere. Without a known owner these are all that the key may see. */
async function lookAround(): Promise<void> {
  try {
    const page = await api.jobs.list({ status: [...OPEN], limit: MOST, ...(owner.peek() && { owner: owner.peek() }) });
    for (const line of page.jobs) if (!following.peek().has(line.id)) track(line.id);
  } catch (fault) {
    // Jobs that are followed say by themselves when something is wrong; this is only a look around.
    if (!(fault instanceof Problem)) throw fault;
  }
}

/** Forgets the tray in this browser, for the next person. */
export function forgetTray(): void {
  shown.value = [];
  sending.value = [];
  clearKept(localStorage, sessionStorage);
}
