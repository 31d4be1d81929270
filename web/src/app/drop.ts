/** A picture dropped anywhere on the page: the text under it fills the form, and its job opens if it is one of ours. */
import { Problem } from "../api";
import { fillFromInfotext, readInfotext, sendPicture } from "../generate";
import { jobOfPicture, openJob, tracesOf } from "../job";
import { infotextOf, pictureOf, sha256Of } from "../pictures";
import { toast } from "../ui";
import { t } from "./texts";

/** Takes drops that no field of the page took. */
export function watchDrops(): void {
  addEventListener("dragover", (event) => {
    // Without this the browser would leave the page and show the file.
    if (!event.defaultPrevented && event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const file = pictureOf(event.dataTransfer);
    if (file) void take(file);
    else toast(t("noPicture"), { kind: "error" });
  });
}

async function take(file: File): Promise<void> {
  const text = await infotextOf(file).catch(() => null);
  if (!text) {
    toast(t("noInfotext"), { action: { label: t("toImg2img"), run: () => sendPicture("img2img", file) } });
    return;
  }
  fillFromInfotext(text, { seed: true });
  const { prompt, pairs } = readInfotext(text);
  const traces = tracesOf(prompt, pairs);
  try {
    const id = traces && (await jobOfPicture(await sha256Of(file), traces));
    if (id) openJob(id);
    toast(t(id ? "filledAndOpened" : "filled"));
  } catch (fault) {
    // The form is filled; that its job could not be looked for changes nothing about that.
    if (!(fault instanceof Problem)) throw fault;
    toast(t("filled"));
  }
}
