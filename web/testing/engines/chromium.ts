import { type BrowserContext, type CDPSession, chromium, type Page as PlaywrightPage } from "playwright-core";
import { COMMAND_TIMEOUT, type Engine, type Key, type Page, START_TIMEOUT } from "./engine.js";
import { findProgram, TemporaryFolder } from "./program.js";
import { fromOutcome, toScript } from "./script.js";
import { traverse } from "./traverse.js";

/** Starts Debian's Chromium, which Playwright drives. */
export async function startChromium(): Promise<Engine> {
  const executablePath = findProgram("chromium", "CHROMIUM", "/usr/bin/chromium");
  const profile = new TemporaryFolder();
  const context = await chromium.launchPersistentContext(profile.path, {
    executablePath,
    headless: true,
    timeout: START_TIMEOUT,
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
  return new Chromium(context, profile);
}

class Chromium implements Engine {
  readonly name = "chromium";

  constructor(
    private context: BrowserContext,
    private profile: TemporaryFolder,
  ) {
    context.setDefaultTimeout(COMMAND_TIMEOUT);
  }

  get version(): string {
    return this.context.browser()?.version() ?? "";
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    const cdp = await this.context.newCDPSession(page);
    const opened = new ChromiumPage(page, cdp);
    await opened.goto(url);
    return opened;
  }

  async close(): Promise<void> {
    await this.context.close();
    this.profile.remove();
  }
}

class ChromiumPage implements Page {
  readonly errors: string[] = [];

  constructor(
    private page: PlaywrightPage,
    private cdp: CDPSession,
  ) {
    page.on("pageerror", (e) => this.errors.push(String(e)));
  }

  async evaluate<A extends unknown[], R>(f: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    const given = { expression: toScript(f, args), awaitPromise: true, returnByValue: true };
    return fromOutcome((await this.cdp.send("Runtime.evaluate", given)).result.value as string);
  }

  async goto(url: string): Promise<void> {
    await this.page.goto(url);
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  back(): Promise<void> {
    return traverse(this, -1);
  }

  forward(): Promise<void> {
    return traverse(this, 1);
  }

  show(): Promise<void> {
    return this.page.bringToFront();
  }

  offline = (is: boolean): Promise<void> => this.page.context().setOffline(is);

  type(text: string): Promise<void> {
    return this.page.keyboard.type(text);
  }

  press(key: Key): Promise<void> {
    return this.page.keyboard.press(key);
  }

  click(selector: string): Promise<void> {
    return this.page.locator(selector).first().click();
  }

  resize(width: number, height: number): Promise<void> {
    return this.page.setViewportSize({ width, height });
  }

  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path });
  }

  async close(): Promise<void> {
    if (this.page.isClosed()) return;
    const closed = this.page.waitForEvent("close");
    await this.page.close({ runBeforeUnload: true });
    await closed;
  }
}
