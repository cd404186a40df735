import type { ParleyError } from "./error.js";
import type { Goaway } from "./goaway.js";
import type { Stream } from "./stream.js";

/** An open WebSocket. */
export interface Link {
  readonly bufferedAmount: number;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Closes the WebSocket. The session gets no more events of it. Without a code the session may be resumed. */
  close(code?: number, reason?: string): void;
}

/** A link as the connection gets it. */
export interface DialedLink extends Link {
  onData: (data: unknown) => void;
  onEnd: (code: number, reason: string) => void;
  /** Settled when the link is closed, or the peer did not close it in time. */
  readonly done: Promise<void>;
  /** Why this is no WebSocket. */
  readonly fallback?: ParleyError;
}

/** The events that a session reports to its connection. */
export interface SessionEvents {
  /** The peer's HELLO has arrived on a link. */
  ready(resumed: boolean): void;
  /** The link is lost. Streams wait until another link is attached. */
  detached(error: ParleyError, code: number): void;
  /** Reports whether to retry after the peer has closed a link with this code instead of resuming the session. */
  mayReconnect(code: number): boolean;
  /** The peer is draining: it accepts no more streams, or will soon stop. Pending streams may move to another session. */
  goaway(g: Goaway): void;
  /** The session has ended, and its streams fail after this call. Pending streams may move to another session. */
  ended(error: ParleyError, code: number): void;
  /** The peer has opened a stream. */
  stream(stream: Stream, header: Uint8Array): void;
}
