import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { isDownload, isUpload } from "./method.js";
import * as Code from "./statuscodes.js";

/** The messages of a client stream. */
export type Requests<T> = AsyncIterable<T> | Iterable<T>;

/** One function for each method of a service. */
export type Client<S extends DescService> = {
  [K in keyof S["method"]]: S["method"][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : S["method"][K] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => Responses<MessageShape<O>>
      : S["method"][K] extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: Requests<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
        : S["method"][K] extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: Requests<MessageInitShape<I>>, options?: CallOptions) => Responses<MessageShape<O>>
          : never;
};

/**
 * Creates a client for a service descriptor.
 *
 * A method with one response starts its call at once and returns a promise of the response. A method with a stream of responses
 * starts its call at the first `next`, for example in a `for await` loop; leaving the loop cancels the call.
 */
export function createClient<S extends DescService>(service: S, conn: Pick<Connection, "call">): Client<S> {
  const client: Record<string, unknown> = {};
  for (const method of service.methods) {
    const start = (input: unknown, options?: CallOptions) => {
      const call = conn.call(method, options);
      if (isUpload(method)) void pump(call, input as Requests<never>);
      else void call.send(input as never, true).catch(() => {}); // next fails too
      return call;
    };
    client[method.localName] = (input: unknown, options?: CallOptions) =>
      isDownload(method) ? new Responses(() => start(input, options)) : singleResponse(start(input, options));
  }
  return client as Client<S>;
}

/** Returns the response of a call that has exactly one. */
export async function singleResponse<M extends DescMethod>(call: Call<M>): Promise<MessageShape<M["output"]>> {
  const response = await call.next();
  if (response && !(await call.next())) return response;
  const what = response ? "more than one message" : "OK without a message";
  const error = new ParleyError(`${call.method.name} returned ${what}`, Code.Internal);
  call.cancel(error);
  throw error;
}

/** Sends the messages of a client stream until the call is over. */
export async function pump<M extends DescMethod>(call: Call<M>, input: Requests<MessageInitShape<M["input"]>>): Promise<void> {
  try {
    const messages = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
    let more = true;
    // Return the source even while it produces the next message.
    void call.done.then(() => (more ? messages.return?.() : undefined)).catch(() => {});
    for (;;) {
      const { done, value } = await messages.next();
      if (done) more = false;
      if (done || call.over) break;
      await call.send(value);
    }
    call.end();
  } catch (e) {
    call.cancel(e); // no effect if the call is over: this is its status
  }
}

const finished = { done: true, value: undefined } as const;

/** The responses of a call, in order. They can be iterated once. */
export class Responses<T> implements AsyncIterableIterator<T> {
  #call: { next(): Promise<unknown>; cancel(): void } | undefined;
  #ended = false;

  readonly #start: () => { next(): Promise<unknown>; cancel(): void };

  constructor(start: () => { next(): Promise<unknown>; cancel(): void }) {
    this.#start = start;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#ended) return finished;
    this.#call ??= this.#start();
    let value: unknown;
    try {
      value = await this.#call.next();
    } catch (e) {
      if (!this.#ended) {
        this.#ended = true;
        this.#call?.cancel();
        throw e;
      }
    }
    this.#ended ||= !value;
    return this.#ended ? finished : { done: false, value: value as T };
  }

  /** Cancels the call, also while next waits. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#ended = true;
    this.#call?.cancel();
    return finished;
  }
}
