import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { encodeOpen, endError, parseEnd, parseHeader } from "./block.js";
import { Code } from "./code.js";
import { type Codec, decode } from "./codec.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { fromHeaders, type Pair, pairsToHeaders, ruleCode, toHeaders } from "./metadata.js";
import { methodPath } from "./method.js";
import { create } from "./protobuf.js";
import type { Session } from "./session.js";
import { CANCEL, type Stream } from "./stream.js";

export interface CallOptions {
  /** Cancels the call. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. The server is told. */
  timeoutMs?: number | undefined;
  /** Sent along. Names that end in "-bin" have base64 as their value; other values are printable ASCII. */
  headers?: HeadersInit | undefined;
  /** Called with the server's headers as soon as they are known. */
  onHeader?: ((headers: Headers) => void) | undefined;
  /** Called with the server's trailers, also if the call has failed. */
  onTrailer?: ((trailers: Headers) => void) | undefined;
  /** Whether the call waits for a connection, in place of failing when there is none. */
  waitForReady?: boolean | undefined;
  /** What messages are written with, if not with the connection's codec. */
  codec?: Codec | undefined;
}

/** How often a call is repeated that the server has not seen. */
const MOST_REPEATS = 4;
/** The most that is kept of what was sent, to send it again, in bytes. */
const MOST_KEPT = 256 << 10;
/** Timers and the wire have no longer ones, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** A call, message by message. */
export class Call<M extends DescMethod> {
  /** Settled when the call has its status. It never fails. */
  readonly done: Promise<void>;
  #resolveDone!: () => void;
  #over = false;
  #error: ParleyError | undefined;
  #stream: Stream | undefined;
  #metadata: Field[] = [];
  #codec: Codec;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  #repeats = 0;
  #kept: { bytes: Uint8Array; last: boolean }[] | undefined = [];
  #keptSize = 0;
  #ended = false;

  // Headers are made of pairs only where somebody looks at them.
  #header: Promise<readonly Pair[]>;
  #resolveHeader!: (pairs: readonly Pair[]) => void;
  #rejectHeader!: (error: ParleyError) => void;
  #trailer: readonly Pair[] = [];

  constructor(
    private conn: Connection,
    readonly method: M,
    private options: CallOptions = {},
  ) {
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#header = new Promise((resolve, reject) => {
      this.#resolveHeader = resolve;
      this.#rejectHeader = reject;
    });
    this.#header.catch(() => {}); // not everybody asks
    this.#codec = options.codec ?? conn.codec;
    const { signal, timeoutMs } = options;
    try {
      if (options.headers) this.#metadata = fromHeaders(toHeaders(options.headers));
    } catch (e) {
      this.#finish(ParleyError.from(e));
    }
    if (signal?.aborted) this.#abort();
    signal?.addEventListener("abort", this.#abort);
    if (timeoutMs !== undefined && timeoutMs <= LONGEST) {
      const expire = () => this.#finish(new ParleyError(`no answer within ${timeoutMs} ms`, Code.DeadlineExceeded));
      this.#deadline = Date.now() + timeoutMs;
      if (timeoutMs > 0) this.#timer = setTimeout(expire, timeoutMs);
      else expire();
    }
    if (this.#over) this.#release();
    else this.#try();
  }

  /** Whether the call has its status. Messages that have arrived before can still be read. */
  get over(): boolean {
    return this.#over;
  }

  /** Waits for the server's headers. It fails if the call does before. */
  header(): Promise<Headers> {
    return this.#header.then(pairsToHeaders);
  }

  /** The server's trailers, when the call is over. */
  get trailer(): Headers {
    return pairsToHeaders(this.#trailer);
  }

  /**
   * Sends a message. It waits while the server, or the network, is slow, and until the message is with the WebSocket: that
   * it has arrived, only the answer tells. When the call is over it fails.
   */
  async send(message: MessageInitShape<M["input"]>, last = false): Promise<void> {
    if (this.#over || this.#ended) throw this.#error ?? overWithOK();
    this.#ended = last;
    let bytes: Uint8Array;
    try {
      bytes = this.#codec.encode(this.method.input, create(this.method.input as M["input"], message) as MessageShape<M["input"]>);
    } catch (e) {
      this.#finish(ParleyError.from(e, Code.Internal));
      throw this.#error;
    }
    this.#kept?.push({ bytes, last });
    if ((this.#keptSize += bytes.length) > MOST_KEPT) this.#kept = undefined;
    await this.#stream?.send(bytes, last);
    if (this.#error) throw this.#error;
  }

  /** Says that there are no more messages. */
  end(): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#stream?.end();
  }

  /** Returns the next message, or undefined after the last one of a call that has ended well. Otherwise it fails with the status. */
  async next(): Promise<MessageShape<M["output"]> | undefined> {
    for (;;) {
      const stream = this.#stream;
      if (!stream) throw this.#error;
      const message = await stream.next().catch(() => undefined);
      if (stream !== this.#stream) continue; // the call was made again
      if (!message) {
        if (this.#error) throw this.#error;
        return undefined;
      }
      this.#kept = undefined;
      try {
        return decode(this.#codec, this.method.output as M["output"], message);
      } catch (e) {
        this.#finish(e as ParleyError);
        throw e;
      }
    }
  }

  /** Abandons the call, unless it is over. */
  cancel(reason: unknown = new ParleyError("canceled by the caller", Code.Canceled)): void {
    this.#finish(ParleyError.from(reason));
  }

  #abort = () => {
    const reason = this.options.signal?.reason;
    const error = ParleyError.from(reason, Code.Canceled);
    this.#finish(error === reason ? error : new ParleyError(error.rawMessage, error.code, { cause: reason }));
  };

  /** Opens a stream, on another session than the one that has refused the call. It reports whether there is one. */
  #try(refused?: Session): boolean {
    const path = methodPath(this.method);
    try {
      const stream = this.conn.open(
        (session) => {
          const left = this.#deadline - Date.now();
          const timeout = left < LONGEST ? Math.max(1, Math.round(left * 1000)) : undefined;
          return encodeOpen(session.aliases.get(path) ?? path, timeout, this.#codec.name, this.#metadata);
        },
        this.options.waitForReady,
        refused,
      );
      if (!stream) return false;
      this.#stream = stream;
      stream.onHeader = (block) => this.#guard(() => this.#takeHeader(block));
      stream.onTrailer = (block) => this.#guard(() => this.#takeEnd(block, stream, path));
      stream.onFail = (error, unseen) => this.#failed(error, unseen);
      for (const { bytes, last } of this.#kept ?? []) void stream.send(bytes, last);
      if (this.#ended && !this.#kept?.at(-1)?.last) stream.end();
    } catch (e) {
      this.#finish(ParleyError.from(e));
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

  #takeHeader(block: Uint8Array | undefined): void {
    if (this.#over || (this.#stream?.error && !block)) return;
    const { encoding, pairs } = parseHeader(block ?? new Uint8Array());
    if (encoding) throw new ParleyError(`the answer is compressed with ${encoding}, which was not agreed on`, Code.Internal);
    this.#kept = undefined;
    this.#resolveHeader(pairs);
    this.options.onHeader?.(pairsToHeaders(pairs));
  }

  #takeEnd(block: Uint8Array, stream: Stream, path: string): void {
    if (this.#over) return;
    const end = parseEnd(block);
    if (end.alias) stream.session.aliases.set(path, end.alias);
    this.#trailer = end.pairs;
    const error = endError(end);
    if (error) error.trailer = this.trailer;
    try {
      this.options.onTrailer?.(this.trailer);
    } finally {
      this.#finish(error);
    }
  }

  #failed(error: ParleyError, unseen: boolean): void {
    if (this.#over) return;
    const again = unseen && this.#kept && this.#repeats++ < MOST_REPEATS;
    if (!again || !this.#try(this.#stream?.session)) this.#finish(error);
  }

  #finish(error: ParleyError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#kept = undefined;
    // An error takes a stack trace, which calls that end well are spared: their header has come.
    if (error || !this.#stream?.over) {
      const reason = error ?? overWithOK();
      this.#stream?.reset(CANCEL, reason);
      this.#rejectHeader(reason);
    }
    this.#release();
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener("abort", this.#abort);
    this.#resolveDone();
  }
}

const overWithOK = () => new ParleyError("the call has ended already", Code.FailedPrecondition);
