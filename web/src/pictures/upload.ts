/** Sending pictures to the bucket by the API's signed forms. */

import { api, Problem } from "../api";
import { bytesOf } from "./bytes";
import { formatOf, MAX_BYTES } from "./header";
import { send, type Sent } from "./send";
import { size } from "../texts";
import { t } from "./texts";

export interface UploadOptions {
  /** How much of all pictures together has been sent, 0 to 1. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal;
}

const RETRIES = 3;

/** Uploads pictures; returns the id of each by its name, for `images` of a job. Pictures that Darkroom has already are
 * not sent again. Throws Problem: of the API, `picture_too_large`, or `picture_lost` when one did not arrive. */
export async function uploadPictures(named: Record<string, Blob>, options: UploadOptions = {}): Promise<Record<string, string>> {
  const total = Object.values(named).reduce((sum, blob) => sum + blob.size, 0);
  const sent = new Map<string, number>();
  const report = (name: string, bytes: number) => {
    sent.set(name, bytes);
    options.onProgress?.(total ? [...sent.values()].reduce((sum, each) => sum + each, 0) / total : 1);
  };
  const pairs = Object.entries(named).map(async ([name, blob]) => {
    const id = await upload(blob, (bytes) => report(name, bytes), options.signal);
    return [name, id] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

async function upload(blob: Blob, report: (bytes: number) => void, signal?: AbortSignal): Promise<string> {
  if (blob.size > MAX_BYTES) {
    throw new Problem("picture_too_large", 0, t("tooManyBytes", { size: size(blob.size), most: size(MAX_BYTES) }));
  }
  const bytes = await bytesOf(blob);
  const sha256 = await sha256In(bytes);
  const type = `image/${formatOf(bytes) ?? "png"}` as const;
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    const { id, upload: form } = await api.images.create({ sha256, bytes: blob.size, content_type: type });
    if (!form) {
      report(blob.size);
      return id;
    }
    const answer = await post(form, new Blob([bytes], { type }), report, signal);
    if (answer.ok) return id;
    // A link may have expired while the computer slept, and a connection may break: another link, another try.
    if (attempt === RETRIES) throw new Problem("picture_lost", answer.status, t("lost", { why: whyOf(answer) }));
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
  }
}

async function post(
  form: { url: string; fields: Record<string, string> },
  file: Blob,
  report: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Sent> {
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", file);
  return send({ method: "POST", url: form.url, body, onSent: (sent) => report(Math.min(sent, file.size)), signal });
}

function whyOf({ status }: Sent): string {
  return status ? t("noLink", { status: String(status) }) : t("noWay");
}

/** The SHA-256 of a blob's bytes in hex. */
export async function sha256Of(blob: Blob): Promise<string> {
  return sha256In(await blob.arrayBuffer());
}

async function sha256In(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
