/** The model files of the stage, as the forms offer them, and which endpoints take jobs. */
import { signal } from "@preact/signals";
import { api, explain, type Checkpoint, type Endpoint } from "../api";
import { stateOf, type StateKey } from "../endpoints";
import { LATENT_UPSCALERS, PLAIN_UPSCALERS, UPSCALER_FILES } from "./tables";

export type ModelKind = Checkpoint["kind"];

/** The active files; null until they are read. */
export const files = signal<readonly Checkpoint[] | null>(null);
export const filesProblem = signal<string | null>(null);
/** how many times the files are being read */
export const reading = signal(0);

const PAGE = 1000;

/** Reads the whole shelf anew. What is there stays until the answer comes. */
export async function refreshFiles(): Promise<void> {
  reading.value += 1;
  try {
    const found: Checkpoint[] = [];
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof api.checkpoints.list>> = await api.checkpoints.list({ limit: PAGE, after });
      found.push(...page.checkpoints);
      after = page.next;
    } while (after !== null);
    files.value = found.filter((file) => file.status === "active");
    filesProblem.value = null;
  } catch (fault) {
    filesProblem.value = explain(fault);
  } finally {
    reading.value -= 1;
  }
}

export function ofKind(found: readonly Checkpoint[] | null, kind: ModelKind): Checkpoint[] {
  return (found ?? []).filter((file) => file.kind === kind);
}

const EXTENSION = /\.(safetensors|ckpt|pth|pt|bin)$/i;
const HASHED = /\s*\[([0-9a-f]{8,64})\]$/i;

/** A file's name without its extension; any other dot belongs to the name. */
export function stem(name: string): string {
  return name.replace(EXTENSION, "");
}

function folded(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

/**
 * The file that a text means, as the WebUI writes names: with or without extension, folder and hash, or a hash alone.
 * Null for none. This only chooses in a list; what a body's names mean is decided by the API.
 */
export function fileMeant(found: readonly Checkpoint[], text: string): Checkpoint | null {
  const hash = HASHED.exec(text)?.[1]?.toLowerCase();
  const name = folded(text.replace(HASHED, "").trim());
  const last = name.split(/[/\\]/).at(-1) ?? name;
  const called = (file: Checkpoint): string[] => [file.name, stem(file.name), ...file.aliases].map(folded);
  const named = found.filter((file) => called(file).some((each) => each === name || each === last));
  if (named.length === 1) return named[0] ?? null;
  const digits = hash ?? (/^[0-9a-f]{8,64}$/.test(name) ? name : null);
  const hashed = digits ? found.filter((file) => file.sha256?.startsWith(digits)) : [];
  return hashed[0] ?? named[0] ?? null;
}

const SHOWN_AS = new Map(Object.entries(UPSCALER_FILES).map(([shown, file]) => [folded(file), shown]));

/** The names of upscalers that a list offers: those without a file, and those on the shelf as the WebUI shows them. */
export function upscalers(found: readonly Checkpoint[] | null, withLatent: boolean): string[] {
  const own = ofKind(found, "upscaler").map((file) => SHOWN_AS.get(folded(file.name)) ?? stem(file.name));
  return [...(withLatent ? LATENT_UPSCALERS : []), ...PLAIN_UPSCALERS, ...own];
}

export type WhyNot = "endpointGoing" | "endpointComing" | "endpointFailed" | "endpointAway";

/** Why no jobs can be sent there, by the endpoint's state; a state that is not here takes them. */
const WHY_NOT: Partial<Record<StateKey, WhyNot>> = {
  deleting: "endpointGoing",
  creating: "endpointComing",
  broken: "endpointFailed",
  unusual: "endpointAway",
};

/** Why an endpoint takes no jobs now, as a key of the texts; null where it takes them. */
export function whyNot(endpoint: Endpoint): WhyNot | null {
  return WHY_NOT[stateOf(endpoint)] ?? null;
}
