/** The files of a job, fetched by their signed links. */
import { api, dropLink, type Job } from "../api";
import { remember } from "../tray";

const asking = new Map<string, Promise<Job>>();

/** Asks for the job and its links anew; many pictures that fail at once ask once. */
export function renewed(id: string): Promise<Job> {
  const running = asking.get(id);
  if (running) return running;
  const promise = api.jobs.get(id).then((job) => {
    remember(job);
    return job;
  });
  asking.set(id, promise);
  void promise.finally(() => asking.delete(id)).catch(() => undefined);
  return promise;
}

/** A new link for a picture of a job, in the place of one that did not work; null when the picture is gone. */
export async function newLink(
  id: string,
  key: string,
  which: "url" | "thumbnail",
  old: string,
): Promise<string | null> {
  dropLink(old);
  return (await renewed(id)).images.find((image) => image.key === key)?.[which] ?? null;
}

/** The bytes of a picture as the worker wrote them. A link that has expired is asked for anew once. */
export async function fileOf(id: string, image: { key: string; url: string }): Promise<Blob> {
  const first = await fetch(image.url).catch(() => null);
  if (first?.ok) return first.blob();
  const link = await newLink(id, image.key, "url", image.url);
  const second = link ? await fetch(link) : null;
  if (!second?.ok) throw new Error(`The picture ${image.key} cannot be had`);
  return second.blob();
}

/** Lets the browser write a file. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser reads the address after this turn; a minute is plenty, and the memory is free again.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
