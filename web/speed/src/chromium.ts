import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Browser, Tab } from "./tab.js";

type Params = Record<string, unknown>;

interface Answer {
  id?: number; // undefined: an event
  result?: never;
  error?: { message: string };
}

/** The longest wait for a response of the browser, in milliseconds. */
const TIMEOUT = 60_000;

/**
 * A Chromium controlled by the DevTools protocol. Test libraries observe all network traffic, which slows down requests and
 * WebSocket messages. Chromium ends when its pipes are closed, so it does not survive this process.
 */
export class Chromium implements Browser {
  #calls = new Map<number, (answer: Answer | Error) => void>();
  #id = 0;
  #exited: Error | undefined;
  #stderr = "";

  private constructor(
    private child: ChildProcess,
    private folder: string,
  ) {
    child.stderr?.on("data", (text) => {
      this.#stderr = (this.#stderr + text).slice(-1000);
    });
    child.on("error", (e) => this.#end(e.message));
    child.on("exit", () => this.#end(`it has ended, and said:\n${this.#stderr}`));
    this.#pipe<Writable>(3).on("error", () => {}); // the exit event reports it
    let text = "";
    this.#pipe<Readable>(4)
      .setEncoding("utf8")
      .on("data", (more) => {
        const messages = (text + more).split("\0");
        text = messages.pop() ?? "";
        for (const message of messages) this.#take(JSON.parse(message) as Answer);
      });
  }

  static async start(program = process.env.CHROMIUM ?? "/usr/bin/chromium", ...more: string[]): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), "speed-"));
    const args = [
      "--headless",
      "--no-sandbox", // required for root, as in containers
      "--no-first-run",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-extensions",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
      "--ignore-certificate-errors",
      "--remote-debugging-pipe",
      `--user-data-dir=${folder}`,
      ...more,
    ];
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
    return new Chromium(child, folder);
  }

  #pipe<T>(fd: number): T {
    return this.child.stdio[fd] as T;
  }

  #take({ id = 0, ...answer }: Answer): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.(answer);
  }

  #end(why: string): void {
    this.#exited ??= new Error(`Chromium: ${why}`);
    for (const call of this.#calls.values()) call(this.#exited);
    this.#calls.clear();
  }

  /** Sends a command to the browser, or to the page of a session. */
  send<T = unknown>(method: string, params: Params = {}, session?: string): Promise<T> {
    if (this.#exited) return Promise.reject(this.#exited);
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#take({ id, error: { message: `no answer to ${method}` } }), TIMEOUT);
      this.#calls.set(id, (answer) => {
        clearTimeout(late);
        if (answer instanceof Error) reject(answer);
        else if (answer.error) reject(new Error(`Chromium: ${answer.error.message}`));
        else resolve(answer.result as T);
      });
      this.#pipe<Writable>(3).write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
    });
  }

  async version(): Promise<string> {
    const { product } = await this.send<{ product: string }>("Browser.getVersion");
    return product.replace(/^.*\//, "");
  }

  /** Opens a page with its own connections. */
  async open(url: string): Promise<ChromiumTab> {
    const { browserContextId } = await this.send<{ browserContextId: string }>("Target.createBrowserContext");
    const { targetId } = await this.send<{ targetId: string }>("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    const { errorText } = await this.send<{ errorText?: string }>("Page.navigate", { url }, sessionId);
    if (errorText) throw new Error(`Chromium: ${url}: ${errorText}`);
    return new ChromiumTab(this, sessionId);
  }

  async close(): Promise<void> {
    if (!this.#exited) {
      const exit = once(this.child, "exit");
      await this.send("Browser.close").catch(() => this.child.kill());
      await exit;
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** An open page. */
export class ChromiumTab implements Tab {
  constructor(
    private browser: Chromium,
    private session: string,
  ) {}

  send<T = unknown>(method: string, params?: Params): Promise<T> {
    return this.browser.send<T>(method, params, this.session);
  }

  /** Returns the value of an expression, or of the promise that it returns. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails: e } = await this.send<Evaluated<T>>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (e) throw new Error(e.exception?.description ?? e.text);
    return result.value;
  }

  async show(): Promise<void> {} // it was started so that others are not slowed down

  cpuTime = async (): Promise<number> => {
    await this.send("Performance.enable", { timeDomain: "threadTicks" });
    const { metrics } = await this.send<{ metrics: { name: string; value: number }[] }>("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value as number;
  };

  profile = async <T>(path: string, during: () => Promise<T>): Promise<T> => {
    await this.send("Profiler.enable");
    await this.send("Profiler.start");
    const result = await during();
    const { profile } = await this.send<{ profile: unknown }>("Profiler.stop");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify(profile));
    return result;
  };
}

interface Evaluated<T> {
  result: { value: T };
  exceptionDetails?: { text: string; exception?: { description?: string } };
}
