import type { Registry } from "@bufbuild/protobuf";
import type { Jitter } from "./backoff.js";
import type { Codec } from "./codec.js";
import type { Settings } from "./hello.js";
import type { WebSocketConstructor } from "./link.js";
import type { Retries } from "./retry.js";

export interface ConnectionOptions {
  /**
   * How calls are spread over several URLs. `pickFirst`, which holds if not given, makes all calls on one connection: to the
   * first server that answers, and when that goes away to the next. `roundRobin` connects to all of them and makes calls at
   * those that are there in turn.
   */
  balancer?: "pickFirst" | "roundRobin" | undefined;
  /**
   * Returns a bearer token. It is asked for each WebSocket, so a token that expires is fresh. The server finds it as an
   * Authorization header. Without it, the browser's cookies are what the server knows. It is always the same user's: to change
   * the user, close the connection and make another.
   */
  credentials?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** In place of the global one, which Node.js has from version 22 on. */
  WebSocket?: WebSocketConstructor | undefined;
  /** What messages are written with; `proto` if not given. */
  codec?: Codec | undefined;
  /** Types that messages do not name by themselves: in JSON those of google.protobuf.Any, and extensions. */
  registry?: Registry | undefined;
  /** For calls that have no timeout of their own, in milliseconds; none if not given. */
  defaultTimeoutMs?: number | undefined;
  /** Which calls that have failed are made again: `retryPolicy({ ... })`. */
  retry?: Retries | undefined;
  /** Limits and times that this end announces. */
  settings?: Partial<Settings> | undefined;
  /** How long an attempt to connect may take, in milliseconds; 10,000 if not given. */
  connectTimeoutMs?: number | undefined;
  /** Draws the delays between attempts; anything up to the bound if not given. */
  jitter?: Jitter | undefined;
}
