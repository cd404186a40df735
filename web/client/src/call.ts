import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";

export interface CallOptions {
  /** Cancels the call. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; Infinity: none. The server is told. */
  timeoutMs?: number | undefined;
  /**
   * Milliseconds after which the call fails with DEADLINE_EXCEEDED if no message has moved in either direction: none was sent,
   * and none was read. It suits streams, for which a timeout is no measure.
   */
  idleTimeoutMs?: number | undefined;
  /** Sent along. Names that end in "-bin" have base64 as their value; other values are printable ASCII. */
  headers?: HeadersInit | undefined;
  /** Called with the server's headers as soon as they are known; with a retry policy, when they are those of the last attempt. */
  onHeader?: ((headers: Headers) => void) | undefined;
  /** Called with the server's trailers, also if the call has failed. */
  onTrailer?: ((trailers: Headers) => void) | undefined;
  /** Whether the call waits for a connection, in place of failing when there is none. */
  waitForReady?: boolean | undefined;
  /** What messages are written with, if not with the connection's codec. */
  codec?: Codec | undefined;
  /** Whether the connection's retry policy counts for the call whatever its .proto says: a second call does no harm. */
  retryable?: boolean | undefined;
}

/** A call, message by message. */
export interface Call<M extends DescMethod> {
  readonly method: M;
  /** Settled when the call has its status. It never fails. */
  readonly done: Promise<void>;
  /** Whether the call has its status. Messages that have arrived before can still be read. */
  readonly over: boolean;
  /** The server's trailers, when the call is over. */
  readonly trailer: Headers;
  /** Waits for the server's headers. It fails if the call does before. */
  header(): Promise<Headers>;
  /**
   * Sends a message. It waits while the server, or the network, is slow, and until the message is with the WebSocket: that
   * it has arrived, only the answer tells. When the call is over it fails.
   */
  send(message: MessageInitShape<M["input"]>, last?: boolean): Promise<void>;
  /** Says that there are no more messages. */
  end(): void;
  /** Returns the next message, or undefined after the last one of a call that has ended well. Otherwise it fails with the status. */
  next(): Promise<MessageShape<M["output"]> | undefined>;
  /** Abandons the call, unless it is over. */
  cancel(reason?: unknown): void;
}
