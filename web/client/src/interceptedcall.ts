import type { DescMethod, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import { alreadyEnded, ClientCall } from "./clientcall.js";
import { Code } from "./code.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { type CallStream, chain, type Handler, type Interceptor } from "./interceptor.js";
import { toHeaders } from "./metadata.js";
import { create } from "./protobuf.js";
import { statusError } from "./serverwire.js";

/**
 * A call inside interceptors. What the application does goes through the stream that they pass on. What they do behind next
 * runs once, when the call has its status and the application has read what came before, or has left.
 */
export class InterceptedCall<M extends DescMethod> implements Call<M> {
  readonly done: Promise<void>;
  #call: ClientCall<M>;
  /** What the innermost interceptor has passed on. It fails with the status of a call that does not come to that. */
  #inner: Promise<CallStream>;
  #pass!: (around: CallStream) => void;
  #refuse!: (status: ParleyError | undefined) => void;
  #started = false;
  /** Whether the call has its status, and nothing is left to be read. */
  #finished = false;
  #finish!: () => void;
  #atEnd: Promise<void>;
  /** Whether the interceptors have made something of it: the status. */
  #settled = false;
  #status: ParleyError | undefined;
  /** Messages that are on their way, in order. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(
    conn: Connection,
    readonly method: M,
    options: CallOptions,
    interceptors: readonly Interceptor[],
  ) {
    const stream = new OuterStream(conn, method, options);
    this.#call = stream.call;
    this.#inner = new Promise((resolve, reject) => {
      this.#pass = resolve;
      this.#refuse = reject;
    });
    this.#inner.catch(() => {}); // not everybody asks
    this.#atEnd = new Promise((resolve) => {
      this.#finish = () => {
        this.#finished = true;
        resolve();
      };
    });
    stream.onEnd = this.#finish;
    void this.#call.done.then(() => {
      if (!this.#started) this.#refuse(this.#call.error);
      if (!this.#started || (this.#call.error && !this.#call.unread)) this.#finish();
    });
    this.done = this.#run(stream, interceptors);
  }

  /** Runs the interceptors. What becomes of the last of them is the status. */
  async #run(stream: OuterStream<M>, interceptors: readonly Interceptor[]): Promise<void> {
    const call = this.#call;
    let unopened: ParleyError | undefined; // which no interceptor can make a call of
    const open: Handler = async (around) => {
      if (this.#started) throw this.#internal("called next twice");
      this.#started = true;
      stream.start();
      unopened = call.over ? call.error : undefined;
      if (unopened) throw unopened;
      this.#pass(around);
      await this.#atEnd;
      if (call.error) throw call.error;
    };
    try {
      await chain(interceptors, open)(stream);
      this.#status = unopened ?? (this.#started ? undefined : this.#internal("returned without calling next"));
    } catch (e) {
      this.#status = statusError(e) ?? ParleyError.from(e);
    }
    this.#settled = true;
    call.cancel(this.#status);
    this.#refuse(this.#status);
  }

  get over(): boolean {
    return this.#call.over || this.#settled;
  }

  get trailer(): Headers {
    return this.#call.trailer;
  }

  async header(): Promise<Headers> {
    await this.#inner;
    return this.#call.header();
  }

  async send(message: MessageInitShape<M["input"]>, last = false): Promise<void> {
    const stream = await this.#inner;
    const sent = this.#sending.then(() => stream.send(create(this.method.input as M["input"], message)));
    if (last) this.end();
    this.#sending = sent.catch(() => {});
    try {
      await sent;
    } catch (e) {
      throw await this.#result(e);
    }
  }

  end(): void {
    const end = async () => {
      await this.#inner;
      await this.#sending;
      this.#call.end();
    };
    end().catch(() => {}); // next fails too
  }

  async next(): Promise<MessageShape<M["output"]> | undefined> {
    const stream = await this.#inner;
    let message: Message | undefined;
    if (!this.#settled) {
      try {
        message = await stream.receive();
        if (message && !this.#finished) return message as MessageShape<M["output"]>;
        if (!message) this.#finish();
      } catch (e) {
        this.#call.cancel(e);
        this.#finish();
      }
      await this.done;
    }
    if (this.#status) throw this.#status;
    return message as MessageShape<M["output"]> | undefined;
  }

  cancel(reason?: unknown): void {
    this.#call.cancel(reason);
    this.#finish();
  }

  /** Returns what an operation fails with: the status, once the interceptors have made it. */
  async #result(e: unknown): Promise<unknown> {
    if (!this.#finished) return e;
    await this.done;
    return this.#status ?? alreadyEnded();
  }

  #internal(what: string): ParleyError {
    return new ParleyError(`an interceptor of ${this.method.name} ${what}`, Code.Internal);
  }
}

/** The caller's end of a call, as the outermost interceptor sees it. */
class OuterStream<M extends DescMethod> implements CallStream {
  readonly call: ClientCall<M>;
  readonly requestHeaders: Headers;
  readonly responseHeaders = new Headers();
  readonly responseTrailers = new Headers();
  readonly values = new Map<unknown, unknown>();
  /** Called when there is nothing more to receive. */
  onEnd = () => {};
  #over = new AbortController();

  constructor(
    readonly connection: Connection,
    readonly method: M,
    options: CallOptions,
  ) {
    const shown = (into: Headers, tell: ((headers: Headers) => void) | undefined) => (headers: Headers) => {
      for (const [key, value] of headers) into.append(key, value);
      tell?.(headers);
    };
    const onHeader = shown(this.responseHeaders, options.onHeader);
    const onTrailer = shown(this.responseTrailers, options.onTrailer);
    const { signal } = options; // of an AbortController, which may be all that is given, a copy has none
    this.call = new ClientCall(connection, method, { ...options, signal, onHeader, onTrailer }, true);
    let headers = new Headers();
    try {
      headers = toHeaders(options.headers);
    } catch (e) {
      this.call.cancel(e);
    }
    this.requestHeaders = headers;
    void this.call.done.then(() => this.#over.abort(this.call.error ?? alreadyEnded()));
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  start(): void {
    this.call.start(this.requestHeaders);
  }

  send(message: Message): Promise<void> {
    return this.call.send(message as MessageInitShape<M["input"]>);
  }

  async receive(): Promise<Message | undefined> {
    let more: Message | undefined;
    try {
      return (more = await this.call.next());
    } finally {
      if (!more) this.onEnd();
    }
  }
}
