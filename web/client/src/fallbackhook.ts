import type { DescMethod } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";
import type { DialedLink } from "./events.js";
import type { DialOptions } from "./link.js";

/** Makes calls while WebSockets do not get through. `fetchFallback` creates one. */
export interface Fallback {
  /** The protocol of the calls, such as "connect". */
  readonly protocol: string;
  /**
   * Starts for a connection.
   * @internal
   */
  attach(conn: Connection): Dialer;
}

/** Dials the links of one connection. */
export interface Dialer {
  /** The methods that were called so far, by their paths. */
  readonly methods: Map<string, DescMethod>;
  /** Opens a WebSocket, or returns what replaces it. It fails as the function of the same name in link.ts. */
  dial(options: DialOptions): Promise<DialedLink>;
}
