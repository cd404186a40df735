import type { DescMethod, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import { alreadyEnded, ClientCall } from "./clientcall.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { type CallStream, chain, type Handler, type Interceptor } from "./interceptor.js";
import type { ReceivedHeaders } from "./metadata.js";
import { addAll, Metadata, toMetadata } from "./metadatalist.js";
import { create } from "./protobuf.js";
import { statusError } from "./serverwire.js";
import * as Code from "./statuscodes.js";

/**
 * A call with interceptors. The application uses the stream that the interceptors pass on. Their code after next runs once:
 * when the call has its status, and the application has read all messages or has left.
 */
export class InterceptedCall<M extends DescMethod> implements Call<M> {
  readonly done: Promise<void>;
  #call: ClientCall<M>;
  /** The stream that the innermost interceptor has passed on. It fails if the call ends before that. */
  #inner: Promise<CallStream>;
  #pass!: (around: CallStream) => void;
  #refuse!: (status: ParleyError | undefined) => void;
  #started = false;
  /** Whether the call has its status and no message is left to read. */
  #finished = false;
  #finish!: () => void;
  #atEnd: Promise<void>;
  /** Whether the interceptors have returned, and the status is known. */
  #settled = false;
  #status: ParleyError | undefined;
  /** Settled when the messages so far are sent, in order. */
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
    this.#inner.catch(() => {}); // not every caller asks
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

  /** Runs the interceptors. The outcome of the outermost one is the status. */
  async #run(stream: OuterStream<M>, interceptors: readonly Interceptor[]): Promise<void> {
    const call = this.#call;
    let unopened: ParleyError | undefined; // interceptors cannot change this one
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

  get trailer(): ReceivedHeaders {
    return this.#call.trailer;
  }

  async header(): Promise<ReceivedHeaders> {
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

  /** Returns the error of an operation: the status, once the interceptors have returned it. */
  async #result(e: unknown): Promise<unknown> {
    if (!this.#finished) return e;
    await this.done;
    return this.#status ?? alreadyEnded();
  }

  #internal(what: string): ParleyError {
    return new ParleyError(`an interceptor of ${this.method.name} ${what}`, Code.Internal);
  }
}

/** The client's end of a call, as the outermost interceptor sees it. */
class OuterStream<M extends DescMethod> implements CallStream {
  readonly call: ClientCall<M>;
  readonly requestHeaders: Metadata;
  readonly responseHeaders = new Metadata();
  readonly responseTrailers = new Metadata();
  readonly values = new Map<unknown, unknown>();
  /** Called when no more messages can be received. */
  onEnd = () => {};
  #over = new AbortController();

  constructor(
    readonly connection: Connection,
    readonly method: M,
    options: CallOptions,
  ) {
    const shown = (into: Metadata, tell: ((headers: ReceivedHeaders) => void) | undefined) => (headers: ReceivedHeaders) => {
      addAll(into, headers);
      tell?.(headers);
    };
    const onHeader = shown(this.responseHeaders, options.onHeader);
    const onTrailer = shown(this.responseTrailers, options.onTrailer);
    const { signal } = options; // a copy of the options has no inherited signal
    this.call = new ClientCall(connection, method, { ...options, signal, onHeader, onTrailer }, true);
    let headers = new Metadata();
    try {
      headers = toMetadata(options.headers);
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
