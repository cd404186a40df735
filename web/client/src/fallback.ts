import type { DescMethod } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import type { DialedLink } from "./events.js";
import type { Dialer, Fallback } from "./fallbackhook.js";
import { Route } from "./fallbackroute.js";
import type { DialOptions } from "./link.js";
import * as Code from "./statuscodes.js";

export type { Fallback } from "./fallbackhook.js";

/** The options of `fetchFallback`. */
export interface FallbackOptions {
  /**
   * Where the server takes calls of the Connect protocol: the method is called at `url` + "/service/method". The default is the
   * URL of the WebSocket, with http for ws and https for wss. It may be relative to the page.
   */
  url?: string | URL | undefined;
  /** How many WebSockets in a row have to fail, while HTTP gets through, before calls go over HTTP; default 3. */
  attempts?: number | undefined;
  /**
   * When WebSockets are tried again, in milliseconds: first after about `initialMs`, then after twice the time before, up to
   * `maxMs`. Default 10,000 and 300,000. They are tried too when the page becomes visible or the network is back.
   */
  retry?: { initialMs: number; maxMs: number } | undefined;
  /** Replaces the global fetch. */
  fetch?: typeof globalThis.fetch | undefined;
}

/**
 * Creates the connection option `fallback`: while WebSockets do not get through, unary and server-streaming calls go over
 * `fetch` by the Connect protocol, which ext/connect serves. The state of the connection is `fallback` then, and other calls
 * fail with UNIMPLEMENTED. When a WebSocket gets through, new calls use it. It throws if an option is invalid.
 */
export function fetchFallback(options: FallbackOptions = {}): Fallback {
  const { attempts = 3, retry: { initialMs, maxMs } = { initialMs: 10_000, maxMs: 300_000 } } = options;
  const check = (holds: boolean, option: string, must: string) => {
    if (!holds) throw new ParleyError(`fetchFallback: ${option} must ${must}`, Code.InvalidArgument);
  };
  check(Number.isInteger(attempts) && attempts > 0, "attempts", "be an integer of at least 1");
  check(initialMs > 0, "retry.initialMs", "be positive");
  check(maxMs >= initialMs, "retry.maxMs", "be at least retry.initialMs");
  const { url, fetch = globalThis.fetch } = options;
  check(typeof fetch === "function", "fetch", "be given where there is no global one");
  const settings = { url: url === undefined ? undefined : `${url}`, attempts, initialMs, maxMs, fetch: fetch.bind(globalThis) };
  return { protocol: "connect", attach: (conn) => new FallbackDialer(conn, settings) };
}

/** The options with their defaults. */
export interface FallbackSettings {
  readonly url: string | undefined;
  readonly attempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly fetch: typeof globalThis.fetch;
}

/** Dials the links of a connection. WebSockets may get through to one of its URLs and not to another one. */
class FallbackDialer implements Dialer {
  readonly methods = new Map<string, DescMethod>();
  #routes = new Map<string, Route>();

  readonly #conn: Connection;
  readonly #settings: FallbackSettings;

  constructor(conn: Connection, settings: FallbackSettings) {
    this.#conn = conn;
    this.#settings = settings;
  }

  dial(options: DialOptions): Promise<DialedLink> {
    const { url } = options;
    const route = this.#routes.get(url) ?? new Route(this.#conn, url, this.#settings, this.methods);
    this.#routes.set(url, route);
    return route.dial(options);
  }
}
