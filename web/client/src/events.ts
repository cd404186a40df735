import type { ParleyError } from "./error.js";
import type { Goaway } from "./goaway.js";
import type { Stream } from "./stream.js";

/** One WebSocket that is open. */
export interface Link {
  readonly bufferedAmount: number;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Ends it. The session hears no more of it. Without a code it is given up, and the session may be resumed. */
  close(code?: number, reason?: string): void;
}

/** What a session tells the connection that it belongs to. */
export interface SessionEvents {
  /** Both ends have greeted on a link. */
  ready(resumed: boolean): void;
  /** The link is lost. Streams wait for another one, which is to be attached. */
  detached(error: ParleyError, code: number): void;
  /** Reports whether to try again after a link was closed with this code in place of resuming the session. */
  mayReconnect(code: number): boolean;
  /** The peer goes away: it accepts no more streams, or will not for long. What is pending may be handed over. */
  goaway(g: Goaway): void;
  /** The session is over; all of its streams fail afterwards. What is pending may be handed over. */
  ended(error: ParleyError, code: number): void;
  /** The peer has opened a stream. */
  stream(stream: Stream, header: Uint8Array): void;
}
