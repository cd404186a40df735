import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type Interceptor,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { createMethodUrl, runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import {
  type Call,
  type CallOptions,
  type Codec,
  Connection,
  type ConnectionOptions,
  onlyAnswer,
  pump,
} from "@parley-rpc/client";
import { toConnectError } from "./error.js";

export interface ParleyTransportOptions extends ConnectionOptions {
  /** The URL to connect to, or an existing connection, for which only the options `codec` and `registry` apply. */
  url: string | URL | readonly (string | URL)[] | Connection;
  /** Interceptors of Connect, for all kinds of call. */
  interceptors?: Interceptor[] | undefined;
  /** Whether calls wait for a connection instead of failing without one. */
  waitForReady?: boolean | undefined;
}

/** A Transport and its connection. Close the connection when it is no longer needed. */
export interface ParleyTransport extends Transport {
  readonly connection: Connection;
}

/** Creates a Transport for clients of Connect. All calls share one connection, which connects at the first call. */
export function createParleyTransport(options: ParleyTransportOptions): ParleyTransport {
  const { url, interceptors = [], defaultTimeoutMs, waitForReady } = options;
  const isConnection = typeof url === "object" && "call" in url;
  const connection = isConnection ? url : new Connection(url, options);
  const codec = isConnection ? callCodec(url, options) : undefined;

  const common = <M extends DescMethodUnary | DescMethodStreaming>(
    method: M,
    header?: HeadersInit,
    contextValues?: ContextValues,
  ) => ({
    service: method.parent,
    method,
    requestMethod: "POST",
    url: createMethodUrl(connection.url, method),
    header: new Headers(header),
    contextValues: contextValues ?? createContextValues(),
  });
  // As in Connect's other transports, 0 means no timeout. Without a value, the connection's default applies.
  const timeout = (ms = defaultTimeoutMs) => (ms === undefined || ms > 0 ? ms : Number.POSITIVE_INFINITY);
  const startCall = <M extends DescMethod>(
    method: M,
    timeoutMs: number | undefined,
    req: { signal: AbortSignal; header: Headers },
  ) => connection.call(method, { signal: req.signal, timeoutMs, headers: req.header, waitForReady, codec });

  return {
    connection,

    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      message: MessageInitShape<I>,
      contextValues?: ContextValues,
    ): Promise<UnaryResponse<I, O>> {
      const ms = timeout(timeoutMs);
      return runUnaryCall<I, O>({
        interceptors,
        ...withoutUndefined({ signal, timeoutMs: Number.isFinite(ms) ? ms : undefined }),
        req: { stream: false, ...common(method, header, contextValues), message },
        next: async (req) => {
          const call = startCall(method, ms, req);
          return withConnectErrors(call, async () => {
            void call.send(req.message as MessageInitShape<I>, true).catch(() => {}); // next fails too
            const response = (await onlyAnswer(call)) as MessageShape<O>;
            return {
              stream: false,
              service: method.parent,
              method,
              header: await call.header(),
              message: response,
              trailer: call.trailer,
            };
          });
        },
      });
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ): Promise<StreamResponse<I, O>> {
      const ms = timeout(timeoutMs);
      return runStreamingCall<I, O>({
        interceptors,
        ...withoutUndefined({ signal, timeoutMs: Number.isFinite(ms) ? ms : undefined }),
        req: { stream: true, ...common(method, header, contextValues), message: input },
        next: async (req) => {
          const call = startCall(method, ms, req);
          // Messages are sent before the headers arrive: a server may need some before it responds.
          void pump(call, req.message as AsyncIterable<MessageInitShape<I>>);
          const trailer = new Headers();
          const responseHeader = await withConnectErrors(call, () => call.header());
          return {
            stream: true,
            service: method.parent,
            method,
            header: responseHeader,
            trailer,
            message: responses<I, O>(call, trailer),
          };
        },
      });
    },
  };
}

/** The codec for calls on a shared connection; undefined: the connection's own. */
function callCodec(connection: Connection, { codec, registry }: ConnectionOptions): Codec | undefined {
  return (registry && (codec ?? connection.codec).withRegistry?.(registry)) ?? codec;
}

/** Casts options that may be undefined to a type that does not allow it. */
const withoutUndefined = (o: Pick<CallOptions, "signal" | "timeoutMs">) => o as { signal: AbortSignal; timeoutMs: number };

/** The responses of a call. The trailers are complete after the last response or an error. Leaving the loop cancels the call. */
async function* responses<I extends DescMessage, O extends DescMessage>(
  call: Call<DescMethodStreaming<I, O>>,
  trailer: Headers,
): AsyncGenerator<MessageShape<O>> {
  try {
    for (;;) {
      const message = await withConnectErrors(call, () => call.next());
      if (!message) break;
      yield message as MessageShape<O>;
    }
  } finally {
    call.cancel();
    for (const [key, value] of call.trailer) trailer.append(key, value);
  }
}

/** Converts errors of f to those of Connect, with headers and trailers. */
async function withConnectErrors<T>(call: Call<DescMethodUnary | DescMethodStreaming>, f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (e) {
    throw toConnectError(e, await call.header().catch(() => new Headers()));
  }
}
