import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { inject } from "vitest";
import { type Engine, type EngineName, type Page, startEngine } from "../testing/engines/index.js";
import { until } from "../testing/until.js";

declare global {
  // In the page.
  var kit: typeof import("./kit.js");
  // biome-ignore lint/suspicious/noExplicitAny: what a test keeps in the page from one step to the next
  var keep: any;
}

declare module "vitest" {
  interface ProvidedContext {
    /** The engine in which the tests of a page run. */
    engine: EngineName;
  }
}

/** The files that the server serves. */
export const files = join(import.meta.dirname, "../../.out/e2e");

/** Builds the pages. */
export async function buildPages(): Promise<void> {
  await mkdir(files, { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, "kit.ts")],
    outfile: join(files, "kit.js"),
    bundle: true,
    format: "iife",
    globalName: "kit",
    target: "es2022",
    logLevel: "error",
  });
  const page = (name: string) =>
    `<!doctype html><meta charset="utf-8"><title>${name}</title><script src="kit.js"></script><h1>${name}</h1>`;
  await writeFile(join(files, "index.html"), page("a page"));
  await writeFile(join(files, "worker.js"), worker);
  await writeFile(join(files, "other.html"), "<!doctype html><title>another page</title>");
}

// A worker of any kind: it makes the call that a message of its page asks for.
const worker = `
importScripts("kit.js");
const { createClient, createConnection, PingService } = kit;
const ping = createClient(PingService, createConnection(new URL("/rpc", location.href).href));
const serve = (port, text) => ping.ping({ text }).then((a) => port.postMessage(a.text), (e) => port.postMessage(e.message));
if ("onconnect" in self) onconnect = ({ ports: [port] }) => (port.onmessage = (e) => serve(port, e.data));
else if ("clients" in self) onmessage = (e) => e.waitUntil(serve(e.source, e.data));
else onmessage = (e) => serve(self, e.data);
`;

/** Starts the engine of this run. */
export const startBrowser = (): Promise<Engine> => startEngine(inject("engine"));

/** Takes the network from a page, or gives it back. Where the driver cannot, the page only gets the event. */
export async function setOffline(page: Page, is: boolean): Promise<void> {
  if (page.offline) await page.offline(is);
  else await page.evaluate((type) => void dispatchEvent(new Event(type)), is ? "offline" : "online");
}

/** Hides a page. Where the driver cannot, the page only gets the event. */
export async function hide(page: Page): Promise<void> {
  if (page.hide) await page.hide();
  else await page.evaluate(setVisibility, "hidden");
  await until("the page is hidden", () => page.evaluate(() => document.visibilityState === "hidden"));
}

/** Shows a page that was hidden. */
export async function show(page: Page): Promise<void> {
  if (page.hide) await page.show();
  else await page.evaluate(setVisibility, "visible");
  await until("the page is visible", () => page.evaluate(() => document.visibilityState === "visible"));
}

/** Runs in the page. */
function setVisibility(state: string): void {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
