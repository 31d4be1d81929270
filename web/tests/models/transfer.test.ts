import { createHash } from "node:crypto";

import { describe, expect, it } from "vitest";

import type { Checkpoint, Parts, Registered } from "../../src/api";
import { Interrupted, transfer, type TransferFile, type World } from "../../src/models/transfer";

const PART = 10;

async function sha256(blob: Blob): Promise<string> {
  return createHash("sha256").update(new Uint8Array(await blob.arrayBuffer())).digest("hex");
}

/** A cloud that keeps parts as S3 does: one upload, parts by number, each with the SHA-256 of its bytes. */
class Cloud {
  readonly stored = new Map<number, string>();
  readonly puts: number[] = [];
  readonly asked: number[][] = [];
  completed = 0;
  /** Answers of the next PUTs, before they are all taken. */
  statuses: number[] = [];
  hold: Promise<void> | null = null;

  constructor(readonly size: number) {}

  world(): World {
    return {
      sha256: (blob) => sha256(blob as Blob),
      pause: () => Promise.resolve(),
      checkpoints: {
        register: async () =>
          ({ checkpoint: {} as Checkpoint, upload: { part_size: PART, parts: Math.ceil(this.size / PART) } }) as Registered,
        parts: async ({ parts = [] }) => {
          this.asked.push(parts.map(({ number }) => number));
          return {
            expires_in: 900,
            urls: parts.map(({ number, sha256: digest }) => ({ number, url: `part/${number}`, headers: { digest } })),
            stored: [...this.stored].map(([number, digest]) => ({ number, size: this.lengthOf(number), sha256: digest })),
          } as Parts;
        },
        complete: async () => {
          if (this.stored.size < Math.ceil(this.size / PART)) throw new Error("parts are missing");
          this.completed++;
          return { status: "active" } as Checkpoint;
        },
      },
      send: async ({ url, body, headers, onSent, signal }) => {
        const number = Number(url.split("/")[1]);
        await this.hold;
        signal?.throwIfAborted();
        this.puts.push(number);
        const status = this.statuses.shift() ?? 200;
        if (status !== 200) return { ok: false, status };
        expect(await sha256(body as Blob)).toBe(headers?.["digest"]);
        onSent((body as Blob).size);
        this.stored.set(number, headers?.["digest"] as string);
        return { ok: true, status };
      },
    };
  }

  private lengthOf(number: number): number {
    return Math.min(PART, this.size - (number - 1) * PART);
  }
}

function file(size: number): TransferFile {
  const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251);
  return { kind: "lora", name: "film.safetensors", blob: new Blob([bytes]), purpose: null };
}

function watcher(signal = new AbortController().signal) {
  const seen: number[] = [];
  return { seen, onProgress: (bytes: number) => seen.push(bytes), signal };
}

describe("an upload", () => {
  it("sends every part once, tells how far it is, and completes the file", async () => {
    const cloud = new Cloud(95);
    const watch = watcher();
    await transfer(file(95), cloud.world(), watch);
    expect([...cloud.puts].sort((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(watch.seen.at(-1)).toBe(95);
    expect(cloud.completed).toBe(1);
  });

  it("goes on where it was: parts that are there are not sent again", async () => {
    const cloud = new Cloud(95);
    const stop = new AbortController();
    const world = cloud.world();
    const send = world.send;
    world.send = (sending) => {
      if (cloud.stored.size >= 4) stop.abort(new Error("paused"));
      return send(sending);
    };
    await expect(transfer(file(95), world, watcher(stop.signal))).rejects.toThrow("paused");
    const before = [...cloud.stored.keys()];
    expect(before.length).toBeLessThan(10);
    cloud.puts.length = 0;
    const watch = watcher();
    await transfer(file(95), cloud.world(), watch);
    expect(cloud.puts.filter((number) => before.includes(number))).toEqual([]);
    expect(cloud.puts.length).toBe(10 - before.length);
    expect(watch.seen.at(-1)).toBe(95);
  });

  it("sends a part anew that is stored with other bytes", async () => {
    const cloud = new Cloud(30);
    cloud.stored.set(2, "0".repeat(64));
    await transfer(file(30), cloud.world(), watcher());
    expect(cloud.puts).toContain(2);
  });

  it("tries a part again with a new link when it does not arrive", async () => {
    const cloud = new Cloud(10);
    cloud.statuses = [0, 403, 503];
    await transfer(file(10), cloud.world(), watcher());
    expect(cloud.puts).toEqual([1, 1, 1, 1]);
    expect(cloud.asked.filter((numbers) => numbers.includes(1)).length).toBe(4);
  });

  it("stands still when a part does not arrive at all, and takes back what it counted", async () => {
    const cloud = new Cloud(40);
    cloud.statuses = Array<number>(60).fill(0);
    const watch = watcher();
    await expect(transfer(file(40), cloud.world(), watch)).rejects.toBeInstanceOf(Interrupted);
    expect(watch.seen.at(-1)).toBe(0);
    expect(cloud.completed).toBe(0);
  });

  it("is given up at once when S3 refuses for good", async () => {
    const cloud = new Cloud(10);
    cloud.statuses = [411];
    await expect(transfer(file(10), cloud.world(), watcher())).rejects.toMatchObject({ status: 411 });
    expect(cloud.puts).toEqual([1]);
  });
});
