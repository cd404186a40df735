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
import { Code } from "./code.js";
import { type Codec, decode, proto } from "./codec.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { encodeFields } from "./fields.js";
import { fromHeaders, pairsToHeaders, ruleCode } from "./metadata.js";
import { isDownload, isUpload, methodPath } from "./method.js";
import { create } from "./protobuf.js";
import { encodeEnd, type OpenBlock, parseOpen } from "./served.js";
import { LIMIT, type Stream } from "./stream.js";

/** What a method knows of the call that it serves. */
export interface ServeContext {
  readonly method: DescMethod;
  /** Of the caller. What is called on it goes to the caller. */
  readonly connection: Connection;
  /** Aborted when the caller has left, or its deadline has passed. */
  readonly signal: AbortSignal;
  readonly requestHeaders: Headers;
  /** Sent before the first answer. */
  readonly responseHeaders: Headers;
  /** Sent with the status. */
  readonly responseTrailers: Headers;
}

/** One function for each method of a service. A method that is not there is UNIMPLEMENTED. */
export type Implementation<S extends DescService> = {
  [K in keyof S["method"]]?: S["method"][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: ServeContext) => Promise<MessageInitShape<O>> | MessageInitShape<O>
    : S["method"][K] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: ServeContext) => AsyncIterable<MessageInitShape<O>>
      : S["method"][K] extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageShape<I>>, context: ServeContext) => Promise<MessageInitShape<O>>
        : S["method"][K] extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageShape<I>>, context: ServeContext) => AsyncIterable<MessageInitShape<O>>
          : never;
};

type Method = { method: DescMethod; run: (input: unknown, context: ServeContext) => unknown };

/** The services that a connection serves. */
export class Services {
  #methods = new Map<string, Method>();
  #running = 0;

  constructor(
    private conn: Connection,
    private onError: (error: unknown, method: DescMethod) => void = console.error,
  ) {}

  add(service: DescService, implementation: object): void {
    for (const method of service.methods) {
      const run = (implementation as Record<string, unknown>)[method.localName];
      const path = methodPath(method);
      if (typeof run === "function") this.#methods.set(path, { method, run: run.bind(implementation) });
      else this.#methods.delete(path);
    }
  }

  /** Serves a call. */
  accept(stream: Stream, header: Uint8Array): void {
    try {
      const open = parseOpen(header);
      this.#serve(stream, open, ...this.#find(open));
    } catch (e) {
      const error = ParleyError.from(e, ruleCode(e));
      if (ruleCode(e) === Code.ResourceExhausted) stream.reset(LIMIT, error);
      else finish(stream, error);
    }
  }

  #find(open: OpenBlock): [Method, Codec] {
    const no = (text: string, code: Code = Code.Unimplemented) => new ParleyError(text, code);
    if (open.alias) throw no(`method_alias ${open.alias} was not given`, Code.Internal);
    const found = this.#methods.get(open.method);
    if (!found) throw no(`${open.method} is not served here`);
    const known = [this.conn.codec, proto];
    const codec = known.find((c) => c.name === open.codec);
    if (!codec) throw no(`codec ${open.codec} is not known here, but ${known.map((c) => c.name)}`);
    if (open.encoding) throw no(`no compression is known here, ${open.encoding} is not`);
    if (open.timeout === 0) throw late();
    // Methods that go on though their call was reset count too.
    if (this.#running >= 2 * this.conn.settings.maxStreams) throw no("too many calls at once", Code.ResourceExhausted);
    return [found, codec];
  }

  #serve(stream: Stream, open: OpenBlock, { method, run }: Method, codec: Codec): void {
    const controller = new AbortController();
    const context: ServeContext = {
      method,
      connection: this.conn,
      signal: controller.signal,
      requestHeaders: pairsToHeaders(open.pairs),
      responseHeaders: new Headers(),
      responseTrailers: new Headers(),
    };
    const end = (error?: ParleyError) => {
      clearTimeout(timer);
      if (error) controller.abort(error);
      finish(stream, error, context.responseTrailers);
    };
    stream.onFail = end;
    const ms = (open.timeout ?? Number.POSITIVE_INFINITY) / 1000;
    const timer = ms < 2 ** 31 ? setTimeout(() => end(late()), ms) : undefined;
    const failed = (e: unknown) => {
      if (controller.signal.aborted) return; // it was told
      if (e instanceof ParleyError) return end(e);
      end(new ParleyError(`${method.name} has failed`, Code.Internal));
      this.onError(e, method);
    };
    this.#running++;
    void this.#run(stream, method, run, context, codec)
      .then(() => end(), failed)
      .finally(() => this.#running--);
  }

  async #run(stream: Stream, method: DescMethod, run: Method["run"], context: ServeContext, codec: Codec): Promise<void> {
    let headed = false;
    const send = (message: unknown) => {
      if (!headed && [...context.responseHeaders].length) stream.sendHeader(encodeFields(fromHeaders(context.responseHeaders)));
      headed = true;
      return stream.send(codec.encode(method.output, create(method.output, message as never)));
    };
    const requests = receive(stream, method, codec);
    const output = run(isUpload(method) ? requests : await only(requests, method), context);
    if (!isDownload(method)) return send(await output);
    for await (const message of output as AsyncIterable<unknown>) {
      if (stream.error) break;
      await send(message);
    }
  }
}

const late = () => new ParleyError("the deadline of the call has passed", Code.DeadlineExceeded);

/** The requests of a call. */
async function* receive(stream: Stream, method: DescMethod, codec: Codec): AsyncGenerator<MessageShape<DescMethod["input"]>> {
  for (;;) {
    const message = await stream.next();
    if (!message) return;
    yield decode(codec, method.input, message);
  }
}

/** The request of a call that has one; it is seen when there is no other (PROTOCOL.md, section 11.4). */
async function only<T>(requests: AsyncGenerator<T>, method: DescMethod): Promise<T> {
  const first = await requests.next();
  if (first.done || !(await requests.next()).done) {
    throw new ParleyError(`${method.name} takes one message, ${first.done ? "none" : "more"} came`, Code.Internal);
  }
  return first.value;
}

function finish(stream: Stream, error: ParleyError | undefined, trailer = new Headers()): void {
  stream.finish(encodeEnd(error, trailer, stream.session.peer.maxHeader), error);
}
