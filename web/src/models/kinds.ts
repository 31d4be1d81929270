/** The kinds of model files, and what engines need files for, as people call them. */

import type { Checkpoint } from "../api";
import { t } from "./texts";
import type { Kind } from "./transfer";

export const KINDS: readonly Kind[] = [
  "stable-diffusion",
  "lora",
  "vae",
  "embedding",
  "hypernetwork",
  "controlnet",
  "upscaler",
  "text_encoder",
  "engine-file",
];

export type Purpose = NonNullable<Checkpoint["purpose"]>;

export const PURPOSES: readonly Purpose[] = ["interrogate_clip", "interrogate_deepbooru", "openpose", "depth_anything"];

/** A kind in words. */
export function kindName(kind: Kind): string {
  return t(`kind_${kind}`);
}

/** A purpose in words. */
export function purposeName(purpose: Purpose): string {
  return t(`purpose_${purpose}`);
}

/** The extensions that any stage may take; each refuses what it does not take by itself. */
export const EXTENSIONS = ".safetensors,.ckpt,.pt,.pth,.bin,.txt";
