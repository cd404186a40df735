import { type EngineName, type Page, startEngine } from "../../testing/engines/index.js";
import { Chromium } from "./chromium.js";
import type { Browser, Tab } from "./tab.js";

/** What readers know the engines as. */
export const titles: Record<EngineName, string> = { chromium: "Chromium", firefox: "Firefox", webkit: "WebKitGTK" };

/** Starts a browser that accepts the certificate of the server. */
export async function startBrowser(name: EngineName): Promise<Browser> {
  if (name === "chromium") return Chromium.start();
  const engine = await startEngine(name);
  return {
    version: async () => engine.version,
    open: async (url) => new EngineTab(await engine.open(url)),
    close: () => engine.close(),
  };
}

/** A page in a browser that the end-to-end tests use as well. */
class EngineTab implements Tab {
  constructor(private page: Page) {}

  evaluate<T>(expression: string): Promise<T> {
    return this.page.evaluate(new Function(`return ${expression}`) as () => T);
  }

  show(): Promise<void> {
    return this.page.show();
  }
}
