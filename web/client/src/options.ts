import type { Registry } from "@bufbuild/protobuf";
import type { Jitter } from "./backoff.js";
import type { Codec } from "./codec.js";
import type { Fallback } from "./fallbackhook.js";
import type { Settings } from "./hello.js";
import type { WebSocketConstructor } from "./link.js";
import type { Retries } from "./retry.js";

export interface ConnectionOptions {
  /**
   * How calls are distributed over several URLs. `pickFirst`, the default, makes all calls on one connection: to the first
   * server that answers, and to the next one when that drains. `roundRobin` connects to all servers and takes turns.
   */
  balancer?: "pickFirst" | "roundRobin" | undefined;
  /**
   * Returns a bearer token. It is called for each WebSocket, so an expired token can be replaced. The server receives the token
   * as an Authorization header. Without it, the server has the browser's cookies. The token must always belong to the same
   * user: to change the user, close the connection and make another one.
   */
  credentials?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Replaces the global WebSocket, which Node.js has since version 22. */
  WebSocket?: WebSocketConstructor | undefined;
  /** The codec of messages; default `proto`. */
  codec?: Codec | undefined;
  /** Types that messages do not describe themselves: in JSON, those of google.protobuf.Any and extensions. */
  registry?: Registry | undefined;
  /** The timeout of calls that set none, in milliseconds; default none. */
  defaultTimeoutMs?: number | undefined;
  /** Which failed calls are retried: `retryPolicy({ ... })`. */
  retry?: Retries | undefined;
  /** The limits and times that this end announces. */
  settings?: Partial<Settings> | undefined;
  /**
   * What makes unary and server-streaming calls while WebSockets do not get through: `fetchFallback()` of
   * `@parley-rpc/client/fallback`. The default is nothing: calls fail.
   */
  fallback?: Fallback | undefined;
  /** The timeout of an attempt to connect, in milliseconds; default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** Draws the delays between attempts; default: any delay up to the bound. */
  jitter?: Jitter | undefined;
}
