import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import type { ReceivedHeaders } from "./metadata.js";

export interface CallOptions {
  /** Cancels the call when aborted. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; Infinity: no timeout. The server learns it. */
  timeoutMs?: number | undefined;
  /**
   * Milliseconds until the call fails with DEADLINE_EXCEEDED if no message is sent or read. It suits streams, whose total time
   * is not known.
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Request headers. A name that ends in "-bin" has a base64 value; other values are printable ASCII. In a list of pairs, and in
   * `Metadata`, a name may have several values; Headers join them.
   */
  headers?: HeadersInit | undefined;
  /** Called with the response headers as soon as they are known; with a retry policy, with those of the last attempt. */
  onHeader?: ((headers: ReceivedHeaders) => void) | undefined;
  /** Called with the trailers, also if the call fails. */
  onTrailer?: ((trailers: ReceivedHeaders) => void) | undefined;
  /** Whether the call waits for a connection instead of failing without one. */
  waitForReady?: boolean | undefined;
  /** Replaces the connection's codec. */
  codec?: Codec | undefined;
  /** Whether the retry policy applies whatever the .proto says, because a second call does no harm. */
  retryable?: boolean | undefined;
}

/** A call, message by message. */
export interface Call<M extends DescMethod> {
  readonly method: M;
  /** Fulfilled when the call has its status. It is never rejected. */
  readonly done: Promise<void>;
  /** Whether the call has its status. Messages that arrived before can still be read. */
  readonly over: boolean;
  /** The trailers, once the call is over. */
  readonly trailer: ReceivedHeaders;
  /** Waits for the response headers. It fails if the call fails first. */
  header(): Promise<ReceivedHeaders>;
  /**
   * Sends a message. It waits while the server or the network is slow, until the WebSocket has taken the message. Only a
   * response shows that the message has arrived. It fails if the call is over.
   */
  send(message: MessageInitShape<M["input"]>, last?: boolean): Promise<void>;
  /** Ends the request messages. */
  end(): void;
  /** Returns the next message, or undefined after the last one if the status is OK. It fails with any other status. */
  next(): Promise<MessageShape<M["output"]> | undefined>;
  /** Cancels the call, unless it is over. */
  cancel(reason?: unknown): void;
}
