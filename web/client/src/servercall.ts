import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type Codec, decode } from "./codec.js";
import type { Connection } from "./connection.js";
import { drainSignal } from "./drain.js";
import { ParleyError, tooLarge } from "./error.js";
import { encodeFields, type Field } from "./fields.js";
import { type CallStream, chain, type Interceptor } from "./interceptor.js";
import { pairsToHeaders } from "./metadata.js";
import { addAll, Metadata } from "./metadatalist.js";
import { isDownload, isUpload } from "./method.js";
import { create } from "./protobuf.js";
import { finish, sendHeader } from "./serverstream.js";
import { encodeEnd, metadataFields, type OpenBlock, statusError } from "./serverwire.js";
import type { Method, ServeContext } from "./service.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import { MAX_TIMEOUT, type TimerId } from "./timer.js";
import { utf8 } from "./varint.js";

export const deadlineExceeded = (): ParleyError => new ParleyError("the deadline of the call has passed", Code.DeadlineExceeded);

/** A call that this end serves. */
export class ServerCall implements CallStream, ServeContext {
  readonly requestHeaders: Metadata;
  readonly responseHeaders = new Metadata();
  readonly responseTrailers = new Metadata();
  readonly values = new Map<unknown, unknown>();
  #abort = new AbortController();
  #ended = false;
  #deadline: number;
  #timer: TimerId | undefined;
  #headersSent = false;
  /** Whether the single request was read. */
  #requestRead = false;
  /** The single response. */
  #response: Uint8Array | undefined;
  /** The source of a stream of responses, while it may have more. */
  #responses: AsyncIterator<Message> | Iterator<Message> | undefined;
  /** Ends the wait for the next response. */
  #stopWaiting: (reason: unknown) => void = () => {};

  readonly #stream: Stream;
  readonly #codec: Codec;
  readonly #encoding: Field[] = [];
  readonly #onError: (error: unknown, method: DescMethod) => void;

  constructor(
    stream: Stream,
    readonly connection: Connection,
    readonly method: DescMethod,
    open: OpenBlock,
    codec: Codec,
    onError: (error: unknown, method: DescMethod) => void,
    /** The compression of responses. */
    encoding?: string,
  ) {
    this.#stream = stream;
    if (isUpload(method)) stream.widen();
    this.#codec = codec;
    if (encoding) this.#encoding = [[5, utf8(encoding)]];
    this.#onError = onError;
    this.requestHeaders = new Metadata();
    addAll(this.requestHeaders, pairsToHeaders(open.pairs));
    const ms = (open.timeout ?? Infinity) / 1000;
    this.#deadline = Date.now() + ms;
    if (ms <= MAX_TIMEOUT) this.#timer = setTimeout(() => this.#finish(deadlineExceeded()), ms);
    stream.onFail = (error) => this.#finish(error);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get draining(): AbortSignal {
    return drainSignal(this.#stream.session.drain);
  }

  timeoutMs(): number | undefined {
    return this.#deadline < Infinity ? Math.max(0, this.#deadline - Date.now()) : undefined;
  }

  /** Serves the call. The promise is fulfilled when the application has finished; it is never rejected. */
  async serve(run: Method["run"], interceptors: readonly Interceptor[]): Promise<void> {
    try {
      await chain(interceptors, (stream) => this.#run(run, stream))(this);
      this.#finish();
    } catch (e) {
      if (this.#ended) return; // the caller already has a status
      const status = statusError(e);
      this.#finish(status ?? this.#internal("failed"));
      if (!status) this.#report(e);
    }
  }

  sendHeaders(): void {
    if (this.#headersSent) return;
    const block = encodeFields([...this.#encoding, ...metadataFields(this.responseHeaders)]);
    const { maxHeader } = this.#stream.session.peer;
    if (block.length > maxHeader) throw tooLarge("header", block.length, maxHeader);
    this.#headersSent = true;
    if (block.length) sendHeader(this.#stream, block);
  }

  async send(message: Message): Promise<void> {
    if (this.#ended) throw this.signal.reason;
    const bytes = this.#codec.encode(this.method.output, create(this.method.output, message));
    const { maxMessage } = this.#stream.session.peer;
    if (bytes.length > maxMessage) throw tooLarge("message", bytes.length, maxMessage);
    if (!isDownload(this.method)) {
      // It is sent with the status. An error replaces it.
      if (this.#response) throw this.#internal("returned more than one message");
      this.#response = bytes;
      return;
    }
    this.sendHeaders();
    await this.#stream.send(bytes);
    if (this.#ended) throw this.signal.reason;
  }

  async receive(): Promise<Message | undefined> {
    if (isUpload(this.method)) return this.#next();
    if (this.#requestRead) return undefined;
    this.#requestRead = true;
    const request = await this.#next();
    // A single request counts only if no second one follows (PROTOCOL.md, section 11.4).
    if (!request || (await this.#stream.next())) throw this.#internal(`takes one message, received ${request ? "more" : "none"}`);
    return request;
  }

  async #next(): Promise<Message | undefined> {
    const message = await this.#stream.next();
    return message && decode(this.#codec, this.method.input, message);
  }

  async #run(run: Method["run"], stream: CallStream): Promise<void> {
    if (this.#ended) throw this.signal.reason;
    const input = isUpload(this.method) ? requests(stream) : await stream.receive();
    const output = run(input, this);
    if (isDownload(this.method)) return this.#sendAll(output as AsyncIterable<Message>, stream);
    const response = (await output) as Message | undefined;
    if (response) await stream.send(response);
  }

  /** Sends a stream of responses. When the call is over, it returns the iterator, even while it waits for a response. */
  async #sendAll(output: AsyncIterable<Message> | Iterable<Message>, stream: CallStream): Promise<void> {
    const iterator = Symbol.asyncIterator in output ? output[Symbol.asyncIterator]() : output[Symbol.iterator]();
    this.#responses = iterator;
    const next = () =>
      new Promise<IteratorResult<Message>>((resolve, reject) => {
        this.#stopWaiting = reject;
        Promise.resolve(iterator.next()).then(resolve, (e) => {
          this.#responses = undefined;
          reject(e);
        });
      });
    try {
      for (;;) {
        const { done, value } = await next();
        if (done) this.#responses = undefined;
        if (done) return;
        await stream.send(value);
      }
    } finally {
      this.#closeResponses();
    }
  }

  #closeResponses(): void {
    const responses = this.#responses;
    this.#responses = undefined;
    if (responses) (async () => responses.return?.())().catch(() => {}); // the result is not needed
  }

  /** Ends the call: normally, with an error, or because its stream has failed. */
  #finish(error?: ParleyError): void {
    if (this.#ended) return;
    let status = error;
    if (!status && !this.#response && !isDownload(this.method)) status = this.#internal("returned no response");
    // Invalid headers give a call its status. A call that fails anyway is sent without them.
    const attempt = <T>(make: () => T): T | undefined => {
      try {
        return make();
      } catch (e) {
        if (!status) this.#report(e);
        status ??= ParleyError.from(e);
        return undefined;
      }
    };
    const trailer: Field[] = attempt(() => metadataFields(this.responseTrailers)) ?? [];
    attempt(() => this.sendHeaders());
    this.#ended = true;
    clearTimeout(this.#timer);
    const end = encodeEnd(status, trailer, this.#stream.session.peer.maxHeader);
    const last = !status && this.#response;
    if (last) void this.#stream.send(last, !end.length);
    if (!last || end.length) finish(this.#stream, end, status);
    const reason = status ?? new ParleyError("the call has ended", Code.Canceled);
    this.#stopWaiting(reason);
    this.#closeResponses();
    this.#abort.abort(reason);
  }

  #internal(what: string): ParleyError {
    return new ParleyError(`${this.method.name} ${what}`, Code.Internal);
  }

  /** Reports an error to the application that the caller does not see. */
  #report(e: unknown): void {
    try {
      this.#onError(e, this.method);
    } catch (thrown) {
      console.error(thrown);
    }
  }
}

/** Iterates over the requests of a call. */
async function* requests(stream: CallStream): AsyncGenerator<Message> {
  for (let message = await stream.receive(); message; message = await stream.receive()) yield message;
}
