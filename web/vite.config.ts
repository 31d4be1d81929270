import { defineConfig } from "vitest/config";

/** Where `/api` goes while the page is developed: the address that `python -m local up` prints. */
const api = (globalThis as { process?: { env: Record<string, string | undefined> } }).process?.env["DARKROOM_API"];
const proxy = api
  ? { "/api": { target: api, changeOrigin: true, rewrite: (path: string) => path.replace(/^\/api/, "") } }
  : undefined;

export default defineConfig({
  build: {
    target: ["chrome123", "edge123", "firefox121", "safari17.5"],
    // One chunk: the whole page is smaller than many pages' first part, and nothing is fetched while somebody works.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the policy of the page allows no `data:` but for pictures
  },
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy },
  // No test is about time: the limit only ends what hangs, also on a machine that is busy with other things.
  test: { include: ["tests/**/*.test.{ts,tsx}"], environment: "node", testTimeout: 60_000, hookTimeout: 60_000 },
});
