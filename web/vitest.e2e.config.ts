import { mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

// The tests in a real browser: `make e2e`.
const config = mergeConfig(base, {
  test: { testTimeout: 60_000, hookTimeout: 60_000, globalSetup: ["./testing/builde2e.ts"] },
});
config.test = { ...config.test, include: ["e2e/*.test.ts"] };
export default config;
