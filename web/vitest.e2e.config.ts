import { defineConfig } from "vitest/config";
import { chosenEngines } from "./testing/engines/chosen.js";
import base from "./vitest.config.js";

// What is about tools, or about servers, nginx and when they are back: a page's engine makes no difference there.
const chromiumOnly = ["e2e/install.test.ts", "e2e/servers.test.ts", "e2e/vite.test.ts"];

// The tests in real browsers: `make e2e`. Each engine is a project.
export default defineConfig({
  test: {
    maxWorkers: 3, // they wait for most of their time
    globalSetup: ["./testing/builde2e.ts"],
    projects: chosenEngines().map((engine) => ({
      resolve: base.resolve ?? {},
      test: {
        name: engine,
        include: ["e2e/*.test.ts"],
        exclude: engine === "chromium" ? [] : chromiumOnly,
        provide: { engine },
        testTimeout: 60_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
