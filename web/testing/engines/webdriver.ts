import { COMMAND_TIMEOUT } from "./engine.js";

/** A session of the WebDriver protocol, as the W3C defines it. The driver takes one command at a time. */
export class WebDriver {
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    private server: string,
    private session: string,
    /** What the driver says about the browser. */
    readonly capabilities: Record<string, unknown>,
  ) {}

  /** Starts a browser. */
  static async start(server: string, capabilities: Record<string, unknown>): Promise<WebDriver> {
    const begun = await command<{ sessionId: string; capabilities: Record<string, unknown> }>("POST", `${server}/session`, {
      capabilities: { alwaysMatch: capabilities },
    });
    return new WebDriver(server, begun.sessionId, begun.capabilities);
  }

  /** Reports whether the driver takes sessions. */
  static async isReady(server: string): Promise<boolean> {
    try {
      return (await command<{ ready: boolean }>("GET", `${server}/status`)).ready;
    } catch {
      return false; // it does not listen yet
    }
  }

  /** Runs commands with no other command between them. */
  alone<T>(commands: (send: Send) => Promise<T>): Promise<T> {
    const result = this.#last.then(() =>
      commands((method, path, body) => command(method, `${this.server}/session/${this.session}${path}`, body)),
    );
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Sends a command of the session and returns the value of the response. */
export type Send = <T = unknown>(method: Method, path: string, body?: object) => Promise<T>;

type Method = "GET" | "POST" | "DELETE";

async function command<T>(method: Method, url: string, body: object = {}): Promise<T> {
  const response = await fetch(url, {
    method,
    ...(method === "POST" && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    signal: AbortSignal.timeout(COMMAND_TIMEOUT),
  });
  const { value } = (await response.json()) as { value: T };
  if (response.ok) return value;
  const { error, message } = value as { error: string; message: string };
  throw new WebDriverError(error, message, `${method} ${new URL(url).pathname.split("/").slice(3).join("/")}`);
}

/** A command has failed. */
export class WebDriverError extends Error {
  constructor(
    /** The error code, as in "no such window". */
    readonly code: string,
    message: string,
    what: string,
  ) {
    super(`WebDriver: ${what}: ${code}: ${message}`);
  }
}
