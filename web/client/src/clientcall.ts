import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import { CallLimits } from "./calllimits.js";
import { encodeOpen, endError, parseEnd, parseHeader } from "./callwire.js";
import { type Codec, decode } from "./codec.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { CANCEL } from "./frametype.js";
import { MAX_RETRANSMITS } from "./limits.js";
import { fromHeaders, type Pair, pairsToHeaders, type ReceivedHeaders, ruleCode } from "./metadata.js";
import { isDownload, methodPath } from "./method.js";
import { create } from "./protobuf.js";
import { ResponseHeader } from "./responseheader.js";
import { RetryBuffer } from "./retrybuffer.js";
import type { RetryWait } from "./retrywait.js";
import type { Session } from "./session.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import { MAX_TIMEOUT } from "./timer.js";

/** A call on a connection, without interceptors. */
export class ClientCall<M extends DescMethod> implements Call<M> {
  declare readonly method: M;
  declare readonly done: Promise<void>;
  #resolveDone!: () => void;
  #over = false;
  #error: ParleyError | undefined;
  #stream: Stream | undefined;
  #metadata: Field[] = [];
  #codec: Codec;
  #limits = new CallLimits((error) => this.#finish(error));
  #buffer = new RetryBuffer();
  #retransmits = 0;
  #failures = 0; // counted for the retry policy
  #retryWait: RetryWait | undefined;
  #ended = false;
  #header = new ResponseHeader();
  #trailer: readonly Pair[] = [];

  readonly #conn: Connection;
  readonly #options: CallOptions;

  constructor(
    conn: Connection,
    method: M,
    options: CallOptions = {},
    /** Whether the caller calls start later. */
    later = false,
  ) {
    this.#conn = conn;
    this.method = method;
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#codec = options.codec ? conn.withRegistry(options.codec) : conn.codec;
    const { signal, timeoutMs = conn.options.defaultTimeoutMs } = options;
    if (signal?.aborted) this.#abort();
    signal?.addEventListener("abort", this.#abort);
    this.#limits.start(timeoutMs, options.idleTimeoutMs);
    if (!later) this.start(options.headers);
    if (this.#over) this.#release();
  }

  /** Starts the call, unless it is over. */
  start(headers: HeadersInit | undefined): void {
    try {
      if (headers) this.#metadata = fromHeaders(headers);
      if (!this.#over) this.#startAttempt();
    } catch (e) {
      this.#finish(ParleyError.from(e));
    }
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why the call has failed; undefined: it is not over, or its status is OK. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** Reports whether messages wait to be read. */
  get unread(): boolean {
    return !!this.#stream?.unread;
  }

  header(): Promise<ReceivedHeaders> {
    this.#header.requested = true;
    this.#guard(() => this.#showHeader());
    return this.#header.headers;
  }

  get trailer(): ReceivedHeaders {
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
    this.#buffer.add(bytes, last);
    await this.#stream?.send(bytes, last);
    if (this.#error) throw this.#error;
    this.#limits.touch();
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
        await this.#retryWait?.done;
        continue;
      }
      const message = await stream.next().catch(() => undefined);
      if (stream !== this.#stream) continue; // the call was retried
      if (!message) {
        if (this.#error) throw this.#error;
        return undefined;
      }
      this.#buffer.drop();
      this.#limits.touch();
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

  #abort = () => this.#finish(ParleyError.from(this.#options.signal?.reason, Code.Canceled));

  /** Opens a stream on a session other than the one that has refused the call. It reports whether there is such a session. */
  #startAttempt(refused?: Session): boolean {
    const path = methodPath(this.method);
    this.#conn.fallback?.methods.set(path, this.method);
    try {
      const stream = this.#conn.open(
        (session) => {
          const { left } = this.#limits;
          const timeout = left < MAX_TIMEOUT ? Math.max(1, Math.round(left * 1000)) : undefined;
          return encodeOpen(session.aliases.get(path) ?? path, timeout, this.#codec, this.#metadata);
        },
        this.#options.waitForReady,
        refused,
      );
      if (!stream) return false;
      this.#stream = stream;
      if (isDownload(this.method)) stream.widen();
      const guard = (f: () => void) => stream === this.#stream && this.#guard(f);
      stream.onHeader = (block, ended) => guard(() => this.#handleHeader(block, ended));
      stream.onTrailer = (block) => guard(() => this.#handleEnd(block, stream, path));
      stream.onFail = (error, unprocessed) => guard(() => this.#failed(error, unprocessed));
      this.#codec.attach?.(stream);
      this.#buffer.replay(stream, this.#ended);
    } catch (e) {
      this.#retryOrFinish(ParleyError.from(e));
    }
    return true;
  }

  /** Calls f. A violation by the server, or an error in a callback of the application, ends only this call. */
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
    if (encoding && encoding !== this.#codec.encoding)
      throw new ParleyError(`compressed with ${encoding} without agreement`, Code.Internal);
    this.#header.hold(pairs);
    // The header alone does not rule out a retry, unless the caller waits for it.
    if (!this.#retryable || (this.#header.requested && !ended)) this.#showHeader();
  }

  /** Shows the header to the caller, which rules out a retry. */
  #showHeader(): void {
    const pairs = this.#header.release();
    if (!pairs) return;
    this.#buffer.drop();
    this.#options.onHeader?.(pairsToHeaders(pairs));
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
      this.#options.onTrailer?.(this.trailer);
    } catch (e) {
      error ??= ParleyError.from(e);
    }
    this.#finish(error);
  }

  #failed(error: ParleyError, unprocessed: boolean): void {
    if (this.#over) return;
    const again = unprocessed && this.#buffer.complete && !this.#stream?.hasMessage && this.#retransmits++ < MAX_RETRANSMITS;
    if (!again || !this.#startAttempt(this.#stream?.session)) this.#retryOrFinish(error);
  }

  /** Ends the call, unless the retry policy retries it. */
  #retryOrFinish(error: ParleyError): void {
    if (this.#retry(error)) return;
    this.#showHeader();
    this.#finish(error);
  }

  /** Reports whether the retry policy applies to the call. */
  get #retryable(): boolean | undefined {
    return this.#conn.options.retry?.covers(this.method, this.#options);
  }

  /** Retries the call if the policy allows it. */
  #retry(error: ParleyError): boolean {
    const failed = this.#stream;
    const { retry } = this.#conn.options;
    if (!retry || !this.#buffer.complete || !this.#retryable || failed?.hasMessage) return false;
    const ms = retry.spend(error, ++this.#failures);
    if (ms === undefined || this.#limits.left <= ms) return false;
    this.#stream = undefined;
    this.#header.hold(undefined);
    failed?.reset(CANCEL, error);
    this.#retryWait = retry.wait(ms, () => this.#startAttempt());
    return true;
  }

  #finish(error: ParleyError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#buffer.drop();
    this.#conn.options.retry?.ended(error);
    // Creating an error is expensive: calls with status OK need none, because their header has arrived.
    if (error || !this.#stream?.closed) {
      const reason = error ?? alreadyEnded();
      this.#stream?.reset(CANCEL, reason);
      this.#header.fail(reason);
    }
    this.#release();
  }

  #release(): void {
    this.#limits.stop();
    this.#retryWait?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#resolveDone();
  }
}

export const alreadyEnded = () => new ParleyError("the call has ended", Code.FailedPrecondition);
