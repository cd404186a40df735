import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type BrowserContext, chromium, type Page } from "playwright-core";

declare global {
  // In the page.
  var kit: typeof import("./kit.js");
  // biome-ignore lint/suspicious/noExplicitAny: what a test keeps in the page from one step to the next
  var keep: any;
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
  await writeFile(join(files, "other.html"), "<!doctype html><title>another page</title>");
}

/** Starts Debian's Chromium with a new profile. */
export class Browser {
  private constructor(
    private context: BrowserContext,
    private profile: string,
  ) {}

  static async start(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "parley-e2e-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      // The first five are for machines without a display, without a network, and for root. Playwright turns the
      // back/forward cache off.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
    });
    return new Browser(context, profile);
  }

  /** Opens a page. The test fails if the page throws. */
  async open(url: string, errors: string[]): Promise<Page> {
    const page = await this.context.newPage();
    page.on("pageerror", (e) => errors.push(`${e}`));
    await page.goto(url);
    return page;
  }

  async stop(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}
