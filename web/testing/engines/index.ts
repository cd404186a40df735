import { startChromium } from "./chromium.js";
import type { Engine, EngineName } from "./engine.js";
import { startFirefox } from "./firefox.js";
import { startWebKit } from "./webkit.js";

export { type Engine, type EngineName, engineNames, type Key, type Page } from "./engine.js";

const starters: Record<EngineName, () => Promise<Engine>> = {
  chromium: startChromium,
  firefox: startFirefox,
  webkit: startWebKit,
};

/** Starts a browser of Debian without a window on a screen, and with a new profile. */
export function startEngine(name: EngineName): Promise<Engine> {
  return starters[name]();
}
