import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";

/** What is known of a call at either of its ends. */
export interface CallInfo {
  readonly method: DescMethod;
  readonly connection: Connection;
  /** Aborted when the call is over: it was canceled, its deadline has passed, or it has its status. */
  readonly signal: AbortSignal;
  /** What the caller says beside its messages. An interceptor of the caller changes it before next. */
  readonly requestHeaders: Headers;
  /** What the other end says ahead of its messages. An interceptor of the other end changes it before the first message. */
  readonly responseHeaders: Headers;
  /** What the other end says with the status. An interceptor of the other end may change it until it returns. */
  readonly responseTrailers: Headers;
  /** What interceptors leave for one another, and for the method that serves the call. */
  readonly values: Map<unknown, unknown>;
}

/** One end of a call, message by message. */
export interface CallStream extends CallInfo {
  /** Sends a message: a request at the caller's end, an answer at the other. */
  send(message: Message): Promise<void>;
  /** Returns the next message of the other end, or undefined behind the last. At the caller's end it fails with the status. */
  receive(): Promise<Message | undefined>;
}

/**
 * Serves one call, of any kind; how the promise is settled is the status. For an interceptor of outgoing calls a Handler is
 * what the application does with its end of the call, from its beginning to its status.
 */
export type Handler = (stream: CallStream) => Promise<void>;

/**
 * Wraps a Handler. One shape serves all kinds of calls at both ends: what it does before next happens before the call, how
 * the promise of next is settled is the call's status, and a CallStream around the one that it is given sees each message. It
 * calls next once at the most.
 */
export type Interceptor = (next: Handler) => Handler;

/** Wraps a handler so that the first interceptor is outermost. */
export const chain = (interceptors: readonly Interceptor[], handler: Handler): Handler =>
  interceptors.reduceRight((next, interceptor) => interceptor(next), handler);
