/** What Darkroom's own tables say, from Python: asked once a test file. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Said } from "../../src/generate/infotext";

export interface Example {
  call: "txt2img" | "img2img";
  body: Record<string, unknown>;
  text: string;
  read: Said;
}
export interface Facts {
  serving: string[];
  upscalers_without_file: string[];
  pictures: Record<string, string[]>;
  samplers: Record<string, [string, string | null] | null>;
  hires_sizes: [number, number, { scale?: number; resize_x?: number; resize_y?: number }, [number, number]][];
  examples: Example[];
  real: { text: string; read: Said }[];
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Another one each day: a failure names it. */
export const SEED = Number(process.env["FACTS_SEED"] ?? Math.floor(Date.now() / 86_400_000));

export function facts(): Facts {
  const text = execFileSync(`${ROOT}.venv/bin/python`, ["-m", "tests.support.page_facts", String(SEED)], {
    cwd: ROOT,
    env: { ...process.env, PYTHONPATH: ".:shared:extension" },
    encoding: "utf-8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(text) as Facts;
}
