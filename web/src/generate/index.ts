import type { Job } from "../api";
export { Extras, Img2img, Txt2img } from "./Pages";

/** Where a picture can be sent to. */
export type Destination = "txt2img" | "img2img" | "inpaint" | "extras";

export function fillFromInfotext(_text: string, _more: { seed?: boolean } = {}): void {}
export function fillFromJob(_job: Job, _more: { seed?: boolean } = {}): void {}
export function sendPicture(_to: Destination, _picture: Blob): void {}
