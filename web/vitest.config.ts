import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string) => fileURLToPath(new URL(`./${name}/src/index.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      "@parley-rpc/client/fallback": fileURLToPath(new URL("./client/src/fallback.ts", import.meta.url)),
      "@parley-rpc/client": source("client"),
      "@parley-rpc/connect": source("connect"),
      "@parley-rpc/react": source("react"),
    },
  },
  test: {
    include: ["*/test/**/*.test.{ts,tsx}"],
    globalSetup: ["./testing/build.ts"],
    testTimeout: 20_000,
    // Two suites at a time do not disturb each other: each has its own servers.
    maxWorkers: 2,
  },
});
