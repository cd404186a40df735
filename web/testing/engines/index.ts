import type { Engine, EngineName } from "./engine.js";

export { type Engine, type EngineName, engineNames, type Key, type Page } from "./engine.js";

// Each engine has a library of its own, which takes a while to load.
const starters: Record<EngineName, () => Promise<Engine>> = {
  chromium: async () => (await import("./chromium.js")).startChromium(),
  firefox: async () => (await import("./firefox.js")).startFirefox(),
  webkit: async () => (await import("./webkit.js")).startWebKit(),
};

/** Starts a browser of Debian without a window on a screen, and with a new profile. */
export function startEngine(name: EngineName): Promise<Engine> {
  return starters[name]();
}
