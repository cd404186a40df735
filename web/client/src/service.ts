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
import type { Code as StatusCode } from "./code.js";
import { type Codec, proto } from "./codec.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { LIMIT, REFUSED } from "./frametype.js";
import type { CallInfo, Interceptor } from "./interceptor.js";
import { ruleCode } from "./metadata.js";
import { methodPath } from "./method.js";
import { deadlineExceeded, ServerCall } from "./servercall.js";
import { finish } from "./serverstream.js";
import { encodeEnd, type OpenBlock, parseOpen } from "./serverwire.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import { cut } from "./varint.js";

/** The most bytes of an unknown name that an error repeats. */
const MAX_ECHOED = 128;

/** What a method knows about the call that it serves. */
export interface ServeContext extends CallInfo {
  /** Milliseconds until the deadline; undefined: no deadline. Calls that the method makes should use it, and the signal. */
  timeoutMs(): number | undefined;
  /**
   * Aborted when either end has announced that it is draining. The call goes on. An endless stream should end now with the
   * error of `retryLater`, so that the caller reconnects elsewhere.
   */
  readonly draining: AbortSignal;
  /** Sends the response headers now, instead of with the first response or the status. It throws if they are invalid. */
  sendHeaders(): void;
}

/** One function for each method of a service. A missing method is UNIMPLEMENTED. */
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

/** A method and the function that serves it. */
export type Method = { method: DescMethod; run: (input: unknown, context: ServeContext) => unknown };

export interface ServicesOptions {
  /** Interceptors of calls that this end serves. The first one is outermost. */
  handlerInterceptors?: readonly Interceptor[] | undefined;
  /** Called with an error that has no status. The caller does not see it. The default is console.error. */
  onServeError?: ((error: unknown, method: DescMethod) => void) | undefined;
}

/** The services that a connection serves. */
export class Services {
  #methods = new Map<string, Method>();
  #running = 0;

  readonly #conn: Connection;
  readonly #options: ServicesOptions;

  constructor(conn: Connection, options: ServicesOptions = {}) {
    this.#conn = conn;
    this.#options = options;
  }

  /** Whether any method is served. */
  get any(): boolean {
    return this.#methods.size > 0;
  }

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
    // Methods that are still running count even if their call is over.
    if (this.#running >= 2 * this.#conn.settings.maxStreams) {
      return stream.reset(REFUSED, new ParleyError("too many ended streams are in use", Code.Unavailable));
    }
    try {
      const open = parseOpen(header);
      const [{ method, run }, codec] = this.#find(open);
      const { handlerInterceptors = [], onServeError = console.error } = this.#options;
      const { attach, encoding } = this.#conn.codec;
      const isPacked = !!encoding && [open.encoding, ...open.accepted].includes(encoding);
      const call = new ServerCall(stream, this.#conn, method, open, codec, onServeError, isPacked ? encoding : undefined);
      if (isPacked) attach?.(stream, open.encoding);
      this.#running++;
      void call.serve(run, handlerInterceptors).then(() => this.#running--);
    } catch (e) {
      const error = ParleyError.from(e, ruleCode(e));
      if (ruleCode(e) === Code.ResourceExhausted) stream.reset(LIMIT, error);
      else finish(stream, encodeEnd(error, [], stream.session.peer.maxHeader), error);
    }
  }

  #find(open: OpenBlock): [Method, Codec] {
    const refusal = (text: string, code: StatusCode = Code.Unimplemented) => new ParleyError(text, code);
    const name = (text: string) => cut(text, MAX_ECHOED);
    if (open.alias) throw refusal(`unknown method alias ${open.alias}`, Code.Internal);
    const found = this.#methods.get(open.method);
    if (!found) throw refusal(`unknown method ${name(open.method)}`);
    const known = [this.#conn.codec, proto];
    const codec = known.find((c) => c.name === open.codec);
    if (!codec) throw refusal(`unknown codec ${name(open.codec)}: use one of ${known.map((c) => c.name)}`);
    const { encoding } = this.#conn.codec;
    if (open.encoding && open.encoding !== encoding) {
      const instead = encoding ? `use ${encoding}` : "send uncompressed messages";
      throw refusal(`unknown compression ${name(open.encoding)}: ${instead}`);
    }
    if (open.timeout === 0) throw deadlineExceeded();
    return [found, codec];
  }
}
