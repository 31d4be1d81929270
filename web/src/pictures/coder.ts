/** Asks the worker to decode and encode pictures. */

import address from "./codec.worker?worker&url";

import { CodecFault, type DecodedPicture, type Fault } from "./codec";
import type { Pixels } from "./pixels";

export type Request =
  | { kind: "decode"; blob: Blob }
  | { kind: "picture"; pixels: Pixels }
  | { kind: "mask"; width: number; height: number; mask: Uint8Array<ArrayBuffer> };

export interface Answer {
  id: number;
  value?: unknown;
  fault?: Fault;
}

/** A picture in pixels, and as the browser draws it. */
export type Shown = DecodedPicture & { bitmap: ImageBitmap };

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

let worker: Worker | null = null;
let count = 0;
const waiting = new Map<number, Waiting>();

/** The pixels of a file. Throws CodecFault. */
export function decoded(blob: Blob): Promise<Shown> {
  return ask<Shown>({ kind: "decode", blob }, []);
}

/** A picture as PNG. `pixels` are copied unless `isMine` says that nobody else needs them. */
export function pictureFile(pixels: Pixels, isMine: boolean): Promise<Blob> {
  return ask<Blob>({ kind: "picture", pixels }, isMine ? [pixels.data.buffer] : []);
}

/** A mask as PNG. The array is given away. */
export function maskFile(width: number, height: number, mask: Uint8Array<ArrayBuffer>): Promise<Blob> {
  return ask<Blob>({ kind: "mask", width, height, mask }, [mask.buffer]);
}

function ask<T>(request: Request, transfer: Transferable[]): Promise<T> {
  worker ??= started();
  const id = ++count;
  return new Promise<T>((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
    worker?.postMessage({ id, request }, transfer);
  });
}

/** The address of the worker's file, in the form that the page's policy (`trusted-types`) asks for: this file and no
 * other may be started. */
function trusted(): unknown {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  policy ??= trustedTypes?.createPolicy("darkroom-worker", { createScriptURL: () => address });
  return policy?.createScriptURL(address) ?? address;
}

interface TrustedTypes {
  createPolicy: (name: string, rules: { createScriptURL: (url: string) => string }) => Policy;
}

interface Policy {
  createScriptURL: (url: string) => unknown;
}

let policy: Policy | undefined;

function started(): Worker {
  const made = new Worker(trusted() as string, { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.fault) one?.reject(new CodecFault(data.fault));
    else one?.resolve(data.value);
  });
  // A worker that ran out of memory answers nothing more: what waits for it is told, and the next task gets another.
  made.addEventListener("error", () => {
    made.terminate();
    worker = null;
    for (const one of waiting.values()) one.reject(new CodecFault("tooLarge"));
    waiting.clear();
  });
  return made;
}
