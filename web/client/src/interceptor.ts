import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";
import type { Metadata } from "./metadatalist.js";

/** What both ends know about a call. */
export interface CallInfo {
  readonly method: DescMethod;
  readonly connection: Connection;
  /** Aborted when the call is over: canceled, past its deadline, or with a status. */
  readonly signal: AbortSignal;
  /** The request headers. An interceptor of the client changes them before it calls next. */
  readonly requestHeaders: Metadata;
  /** The response headers. An interceptor of the server changes them before the first message. */
  readonly responseHeaders: Metadata;
  /** The response trailers. An interceptor of the server may change them until it returns. */
  readonly responseTrailers: Metadata;
  /** Values that interceptors leave for one another and for the method. */
  readonly values: Map<unknown, unknown>;
}

/** One end of a call, message by message. */
export interface CallStream extends CallInfo {
  /** Sends a message: a request at the client, a response at the server. */
  send(message: Message): Promise<void>;
  /** Returns the peer's next message, or undefined after the last one. At the client it fails with the status. */
  receive(): Promise<Message | undefined>;
}

/**
 * Handles one call of any kind. The outcome of the promise is the status. For an interceptor of the client, a Handler is what
 * the application does with the call, from its start to its status.
 */
export type Handler = (stream: CallStream) => Promise<void>;

/**
 * Wraps a Handler. The same type serves all kinds of calls at both ends. Code before next runs before the call. The outcome of
 * next is the call's status. A CallStream that wraps the given one sees each message. An interceptor calls next at most once.
 */
export type Interceptor = (next: Handler) => Handler;

/** Wraps a handler so that the first interceptor is outermost. */
export const chain = (interceptors: readonly Interceptor[], handler: Handler): Handler =>
  interceptors.reduceRight((next, interceptor) => interceptor(next), handler);
