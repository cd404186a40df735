import { type Browser, launch, type Page as PuppeteerPage } from "puppeteer-core";
import { COMMAND_TIMEOUT, type Engine, type Key, type Page, START_TIMEOUT } from "./engine.js";
import { findProgram, TemporaryFolder } from "./program.js";
import { fromOutcome, toScript } from "./script.js";
import { traverse } from "./traverse.js";

/** Starts Debian's Firefox, which Puppeteer drives by WebDriver BiDi. */
export async function startFirefox(): Promise<Engine> {
  const executablePath = findProgram("firefox", "FIREFOX", "/usr/bin/firefox-esr", "/usr/bin/firefox");
  const home = new TemporaryFolder();
  const browser = await launch({
    browser: "firefox",
    executablePath,
    headless: true,
    acceptInsecureCerts: true, // those that tests make for themselves
    timeout: START_TIMEOUT,
    protocolTimeout: COMMAND_TIMEOUT,
    env: { ...process.env, HOME: home.path }, // Firefox keeps crash reports and caches there
  });
  const version = (await browser.version()).replace(/^.*\//, ""); // it comes as "firefox/153.8.0"
  return new Firefox(browser, version, home);
}

class Firefox implements Engine {
  readonly name = "firefox";

  constructor(
    private browser: Browser,
    readonly version: string,
    private home: TemporaryFolder,
  ) {}

  async open(url: string): Promise<Page> {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(COMMAND_TIMEOUT);
    const opened = new FirefoxPage(page);
    await opened.goto(url);
    return opened;
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.home.remove();
  }
}

class FirefoxPage implements Page {
  readonly errors: string[] = [];
  #front: PuppeteerPage | undefined;

  constructor(private page: PuppeteerPage) {
    page.on("pageerror", (e) => {
      // Firefox also reports WebSockets that fail, which no code has thrown.
      if (!/^(Firefox can’t establish|The connection to wss?:)/.test((e as Error).message)) this.errors.push(String(e));
    });
  }

  async evaluate<A extends unknown[], R>(f: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    return fromOutcome((await this.page.evaluate(toScript(f, args))) as string);
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

  hide = async (): Promise<void> => {
    this.#front ??= await this.page.browser().newPage(); // which is shown
  };

  async show(): Promise<void> {
    await this.page.bringToFront();
    await this.#front?.close();
    this.#front = undefined;
  }

  offline = (is: boolean): Promise<void> => this.page.setOfflineMode(is);

  type(text: string): Promise<void> {
    return this.page.keyboard.type(text);
  }

  press(key: Key): Promise<void> {
    return this.page.keyboard.press(key);
  }

  async click(selector: string): Promise<void> {
    await this.page.click(selector);
  }

  resize(width: number, height: number): Promise<void> {
    return this.page.setViewport({ width, height });
  }

  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path: path as `${string}.png` });
  }

  async close(): Promise<void> {
    await this.#front?.close();
    if (!this.page.isClosed()) await this.page.close({ runBeforeUnload: true });
  }
}
