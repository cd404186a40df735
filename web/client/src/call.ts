import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { encodeOpen, endError, parseEnd, parseHeader } from "./callwire.js";
import { Code } from "./code.js";
import { type Codec, decode } from "./codec.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { fromHeaders, type Pair, pairsToHeaders, ruleCode, toHeaders } from "./metadata.js";
import { isUpload, methodPath } from "./method.js";
import { create } from "./protobuf.js";
import type { Session } from "./session.js";
import { CANCEL, type Stream } from "./stream.js";
import { after, MAX_TIMEOUT, type Timer } from "./timer.js";

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

/** How often a call is repeated that the server has not seen. */
const MAX_RETRANSMITS = 4;
/** The most that is kept of what was sent, to send it again, in bytes. */
const MAX_RETRY_BUFFER = 256 << 10;

/** A call on a connection, without interceptors. */
export class ClientCall<M extends DescMethod> implements Call<M> {
  readonly done: Promise<void>;
  #resolveDone!: () => void;
  #over = false;
  #error: ParleyError | undefined;
  #stream: Stream | undefined;
  #metadata: Field[] = [];
  #codec: Codec;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #lastMessage = Date.now(); // the latest message
  #idle: Timer | undefined;

  #retransmits = 0;
  #failures = 0; // that the retry policy has seen
  #backoff: Timer | undefined;
  #nextAttempt: Promise<void> | undefined; // when the next attempt begins
  #attemptStarted = () => {};
  #kept: { bytes: Uint8Array; last: boolean }[] | undefined = [];
  #keptSize = 0;
  #ended = false;

  // Headers are made of pairs only where somebody looks at them.
  #header: Promise<readonly Pair[]>;
  #resolveHeader!: (pairs: readonly Pair[]) => void;
  #rejectHeader!: (error: ParleyError) => void;
  #headerRequested = false;
  #headerHeld: readonly Pair[] | undefined; // of an attempt that may not be the last
  #trailer: readonly Pair[] = [];

  constructor(
    private conn: Connection,
    readonly method: M,
    private options: CallOptions = {},
    /** Whether `begin` is called later. */
    later = false,
  ) {
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#header = new Promise((resolve, reject) => {
      this.#resolveHeader = resolve;
      this.#rejectHeader = reject;
    });
    this.#header.catch(() => {}); // not everybody asks
    this.#codec = options.codec ? conn.withRegistry(options.codec) : conn.codec;
    const { signal, timeoutMs = conn.defaultTimeoutMs } = options;
    if (signal?.aborted) this.#abort();
    signal?.addEventListener("abort", this.#abort);
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMEOUT) {
      const expire = () => this.#finish(new ParleyError(`no response within ${timeoutMs} ms`, Code.DeadlineExceeded));
      this.#deadline = Date.now() + timeoutMs;
      if (timeoutMs > 0) this.#timer = setTimeout(expire, timeoutMs);
      else expire();
    }
    if (options.idleTimeoutMs !== undefined) this.#watchIdle(options.idleTimeoutMs);
    if (!later) this.start(options.headers);
    if (this.#over) this.#release();
  }

  #watchIdle(ms: number): void {
    const left = this.#lastMessage + ms - Date.now();
    if (left > MAX_TIMEOUT) return;
    if (left > 0) this.#idle = setTimeout(() => this.#watchIdle(ms), left);
    else this.#finish(new ParleyError(`idle: no message for ${ms} ms`, Code.DeadlineExceeded));
  }

  /** Makes the call, unless it is over. */
  start(headers: HeadersInit | undefined): void {
    try {
      if (headers) this.#metadata = fromHeaders(toHeaders(headers));
      if (!this.#over) this.#startAttempt();
    } catch (e) {
      this.#finish(ParleyError.from(e));
    }
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why it is over; undefined: it is not, or has ended well. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** Whether messages have arrived that were not read. */
  get unread(): boolean {
    return !!this.#stream?.unread;
  }

  header(): Promise<Headers> {
    this.#headerRequested = true;
    this.#guard(() => this.#showHeader());
    return this.#header.then(pairsToHeaders);
  }

  get trailer(): Headers {
    return pairsToHeaders(this.#trailer);
  }

  async send(message: MessageInitShape<M["input"]>, last = false): Promise<void> {
    if (this.#over || this.#ended) throw this.#error ?? alreadyEnded();
    this.#ended = last;
    let bytes: Uint8Array;
    try {
      bytes = this.#codec.encode(this.method.input, create(this.method.input as M["input"], message) as MessageShape<M["input"]>);
    } catch (e) {
      this.#finish(ParleyError.from(e, Code.Internal));
      throw this.#error;
    }
    this.#kept?.push({ bytes, last });
    if ((this.#keptSize += bytes.length) > MAX_RETRY_BUFFER) this.#kept = undefined;
    await this.#stream?.send(bytes, last);
    if (this.#error) throw this.#error;
    this.#lastMessage = Date.now();
  }

  end(): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#stream?.end();
  }

  async next(): Promise<MessageShape<M["output"]> | undefined> {
    for (;;) {
      const stream = this.#stream;
      if (!stream && this.#over) throw this.#error;
      if (!stream) {
        await this.#nextAttempt;
        continue;
      }
      const message = await stream.next().catch(() => undefined);
      if (stream !== this.#stream) continue; // the call was made again
      if (!message) {
        if (this.#error) throw this.#error;
        return undefined;
      }
      this.#kept = undefined;
      this.#lastMessage = Date.now();
      try {
        this.#showHeader();
        return decode(this.#codec, this.method.output as M["output"], message);
      } catch (e) {
        const error = ParleyError.from(e);
        this.#finish(error);
        throw error;
      }
    }
  }

  cancel(reason: unknown = new ParleyError("canceled by the caller", Code.Canceled)): void {
    this.#finish(ParleyError.from(reason));
  }

  #abort = () => {
    const reason = this.options.signal?.reason;
    const error = ParleyError.from(reason, Code.Canceled);
    this.#finish(error === reason ? error : new ParleyError(error.rawMessage, error.code, { cause: reason }));
  };

  /** Opens a stream, on another session than the one that has refused the call. It reports whether there is one. */
  #startAttempt(refused?: Session): boolean {
    const path = methodPath(this.method);
    try {
      const stream = this.conn.open(
        (session) => {
          const left = this.#deadline - Date.now();
          const timeout = left < MAX_TIMEOUT ? Math.max(1, Math.round(left * 1000)) : undefined;
          return encodeOpen(session.aliases.get(path) ?? path, timeout, this.#codec.name, this.#metadata);
        },
        this.options.waitForReady,
        refused,
      );
      if (!stream) return false;
      this.#stream = stream;
      const guard = (f: () => void) => stream === this.#stream && this.#guard(f);
      stream.onHeader = (block, ended) => guard(() => this.#handleHeader(block, ended));
      stream.onTrailer = (block) => guard(() => this.#handleEnd(block, stream, path));
      stream.onFail = (error, unprocessed) => guard(() => this.#failed(error, unprocessed));
      for (const { bytes, last } of this.#kept ?? []) void stream.send(bytes, last);
      if (this.#ended && !this.#kept?.at(-1)?.last) stream.end();
    } catch (e) {
      this.#retryOrFinish(ParleyError.from(e));
    }
    return true;
  }

  /** What is wrong with what the server has sent, and what the application's callbacks throw, ends the call only. */
  #guard(f: () => void): void {
    try {
      f();
    } catch (e) {
      this.#finish(ParleyError.from(e, ruleCode(e)));
    }
  }

  #handleHeader(block: Uint8Array | undefined, ended: boolean): void {
    if (this.#over || (this.#stream?.error && !block)) return;
    const { encoding, pairs } = parseHeader(block ?? new Uint8Array());
    if (encoding) throw new ParleyError(`the response is compressed with ${encoding}, which was not negotiated`, Code.Internal);
    this.#headerHeld = pairs;
    // By itself it does not rule out another attempt, unless somebody waits for it.
    if (!this.#retryable || (this.#headerRequested && !ended)) this.#showHeader();
  }

  /** Shows the header that has come: there is no other attempt. */
  #showHeader(): void {
    const pairs = this.#headerHeld;
    if (!pairs) return;
    this.#headerHeld = this.#kept = undefined;
    this.#resolveHeader(pairs);
    this.options.onHeader?.(pairsToHeaders(pairs));
  }

  #handleEnd(block: Uint8Array, stream: Stream, path: string): void {
    if (this.#over) return;
    const end = parseEnd(block);
    if (end.alias) stream.session.aliases.set(path, end.alias);
    let error = endError(end);
    if (error && this.#retry(error)) return;
    this.#showHeader();
    this.#trailer = end.pairs;
    if (error) error.trailer = this.trailer;
    try {
      this.options.onTrailer?.(this.trailer);
    } catch (e) {
      error ??= ParleyError.from(e);
    }
    this.#finish(error);
  }

  #failed(error: ParleyError, unprocessed: boolean): void {
    if (this.#over) return;
    const again = unprocessed && this.#kept && !this.#stream?.hasMessage && this.#retransmits++ < MAX_RETRANSMITS;
    if (!again || !this.#startAttempt(this.#stream?.session)) this.#retryOrFinish(error);
  }

  /** Ends the call, unless the retry policy has it made again. */
  #retryOrFinish(error: ParleyError): void {
    if (this.#retry(error)) return;
    this.#showHeader();
    this.#finish(error);
  }

  /** Whether the retry policy counts for the call. */
  get #retryable(): boolean {
    const { conn, method, options } = this;
    return !!conn.retry && !isUpload(method) && (options.retryable || method.idempotency > 0);
  }

  /** Has the call made again after it has failed, if the retry policy says so. */
  #retry(error: ParleyError): boolean {
    const failed = this.#stream;
    if (!this.#kept || !this.#retryable || failed?.hasMessage) return false;
    const ms = this.conn.retry?.spend(error, ++this.#failures);
    if (ms === undefined || this.#deadline - Date.now() <= ms) return false;
    this.#stream = this.#headerHeld = undefined;
    failed?.reset(CANCEL, error);
    this.#nextAttempt = new Promise((resolve) => {
      this.#attemptStarted = resolve;
    });
    this.#backoff = after(ms, () => {
      this.#startAttempt();
      this.#attemptStarted();
    });
    return true;
  }

  #finish(error: ParleyError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#kept = undefined;
    this.conn.retry?.ended(error);
    // An error takes a stack trace, which calls that end well are spared: their header has come.
    if (error || !this.#stream?.closed) {
      const reason = error ?? alreadyEnded();
      this.#stream?.reset(CANCEL, reason);
      this.#rejectHeader(reason);
    }
    this.#release();
  }

  #release(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#backoff);
    clearTimeout(this.#idle);
    this.#attemptStarted();
    this.options.signal?.removeEventListener("abort", this.#abort);
    this.#resolveDone();
  }
}

export const alreadyEnded = () => new ParleyError("the call is over", Code.FailedPrecondition);
