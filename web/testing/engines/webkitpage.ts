import { writeFile } from "node:fs/promises";
import type { Key, Page } from "./engine.js";
import { fromOutcome, toScript } from "./script.js";
import { traverse } from "./traverse.js";
import type { Send, WebDriver } from "./webdriver.js";

/** A window of WebKitGTK's browser. */
export class WebKitPage implements Page {
  errors: string[] = [];
  #calls = 0;
  #closed = false;

  private constructor(
    private driver: WebDriver,
    private window: string,
  ) {}

  /** Opens a window. There is a first one already, which is always open. */
  static async open(driver: WebDriver, first: string, url: string): Promise<WebKitPage> {
    const { handle } = await driver.alone(async (send) => {
      await send("POST", "/window", { handle: first }); // the current one may be closed
      return send<{ handle: string }>("POST", "/window/new", { type: "window" });
    });
    const page = new WebKitPage(driver, handle);
    await page.goto(url);
    return page;
  }

  /** Runs commands of this window. */
  #do<T>(commands: (send: Send) => Promise<T>): Promise<T> {
    return this.driver.alone(async (send) => {
      await send("POST", "/window", { handle: this.window });
      return commands(send);
    });
  }

  // A command of WebDriver occupies the driver until its script has ended. So the script keeps the call's promise in the
  // page, and commands look for its outcome, each for a short time.
  async evaluate<A extends unknown[], R>(f: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    const call = ++this.#calls;
    const begin = `${collectErrors}
      const calls = globalThis[Symbol.for("parley.calls")] ??= new Map();
      calls.set(${call}, ${toScript(f, args)});`;
    for (let start = begin; ; start = "") {
      const { outcome, errors } = await this.#do((send) =>
        send<Look>("POST", "/execute/async", { script: `${start}${look(call)}`, args: [] }),
      );
      this.errors.push(...errors);
      if (outcome !== undefined && outcome !== null) return fromOutcome(outcome);
    }
  }

  async goto(url: string): Promise<void> {
    await this.#navigate("/url", { url });
  }

  reload(): Promise<void> {
    return this.#navigate("/refresh");
  }

  back(): Promise<void> {
    return traverse(this, -1);
  }

  forward(): Promise<void> {
    return traverse(this, 1);
  }

  /** Navigates, and from then on collects the page's errors. */
  async #navigate(path: string, body?: object): Promise<void> {
    await this.#do(async (send) => {
      await send("POST", path, body);
      await send("POST", "/execute/sync", { script: collectErrors, args: [] });
    });
  }

  hide = async (): Promise<void> => {
    await this.#do((send) => send("POST", "/window/minimize"));
  };

  async show(): Promise<void> {
    await this.#do((send) => send("POST", "/window/rect", { x: 0, y: 0 })); // which restores a window
  }

  async type(text: string): Promise<void> {
    await this.#do(async (send) => {
      const element = Object.values(await send<Element>("GET", "/element/active"))[0];
      await send("POST", `/element/${element}/value`, { text });
    });
  }

  press(key: Key): Promise<void> {
    return this.type(keys[key]);
  }

  async click(selector: string): Promise<void> {
    await this.#do(async (send) => {
      const found = await send<Element>("POST", "/element", { using: "css selector", value: selector });
      await send("POST", `/element/${Object.values(found)[0]}/click`);
    });
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#do((send) => send("POST", "/window/rect", { width, height }));
  }

  async screenshot(path: string): Promise<void> {
    await writeFile(path, await this.#do((send) => send<string>("GET", "/screenshot")), "base64");
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#do((send) => send("DELETE", "/window"));
  }
}

/** A reference to an element: one member, whose name the protocol fixes. */
type Element = Record<string, string>;

interface Look {
  /** Undefined or null if there is none yet. */
  outcome?: string | null;
  errors: string[];
}

/** As WebDriver names them. */
const keys: Record<Key, string> = { Enter: "\uE007", Tab: "\uE004" };

// The driver reports no errors of a page.
const collectErrors = `
  globalThis[Symbol.for("parley.errors")] ??= (() => {
    const errors = [];
    addEventListener("error", (e) => errors.push(String(e.error ?? e.message)));
    addEventListener("unhandledrejection", (e) => errors.push(String(e.reason)));
    return errors;
  })();`;

/** A script that waits for the outcome of a call, for 50 ms. */
const look = (call: number) => `
  const done = arguments[arguments.length - 1];
  const all = globalThis[Symbol.for("parley.calls")];
  const promise = all?.get(${call}) ?? Promise.resolve(JSON.stringify({ error: "the page has gone away" }));
  const wait = new Promise((resolve) => setTimeout(resolve, 50));
  Promise.race([promise, wait]).then((outcome) => {
    if (outcome !== undefined) all?.delete(${call});
    done({ outcome, errors: globalThis[Symbol.for("parley.errors")]?.splice(0) ?? [] });
  });`;
