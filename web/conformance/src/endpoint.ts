import { toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  type Call,
  type Codec,
  createConnection,
  gzip,
  json,
  Metadata,
  ParleyError,
  proto,
  type ReceivedHeaders,
  type ServingConnection,
} from "@parley-rpc/client";
import { WebSocket } from "ws";
import type { Connect, Request, Call as Requested } from "../../gen/conformance/v1/driver_pb.js";
import { ConformanceService, type Result } from "../../gen/conformance/v1/service_pb.js";
import { addPairs, toPairs } from "./pairs.js";
import { report } from "./report.js";
import { abService, service } from "./service.js";

const methods = Object.values(ConformanceService.method);
type Method = (typeof methods)[number];

/** A call in progress. */
interface OpenCall {
  cancel(): void;
  halfClose(): void;
}

/** A client under test. */
export class Endpoint {
  #conn: ServingConnection;
  #calls = new Map<bigint, OpenCall>();

  constructor(
    private id: bigint,
    { url, settings, bearer }: Connect,
  ) {
    const { maxFrame, maxMessage, maxHeader, maxStreams, initialWindow, keepalive, resumeWindow, replayLimit } =
      settings as NonNullable<typeof settings>;
    const given = { maxFrame, maxMessage, maxHeader, maxStreams, initialWindow, keepalive, replayLimit };
    const set = Object.entries(given).filter(([, value]) => value);
    this.#conn = createConnection(url, {
      WebSocket,
      codec: gzip(json), // calls name theirs; a connection serves its own and proto
      credentials: bearer ? () => bearer : undefined,
      settings: {
        ...Object.fromEntries(set.map(([name, value]) => [name, Number(value)])),
        resumeWindow: Number(resumeWindow),
      },
      onServeError: () => {}, // the runner sees the status
    });
    this.#conn.serve(ConformanceService, service(id));
    this.#conn.serve(abService(), { b: untilOver } as never); // a descriptor made at run time has no types
    this.#conn.connect().catch(() => {}); // the calls report why it fails
  }

  do(request: Request["do"]): void {
    if (request.case === "call") void this.#call(request.value);
    else if (request.case === "cancel") this.#calls.get(request.value.call)?.cancel();
    else if (request.case === "halfClose") this.#calls.get(request.value.call)?.halfClose();
    else if (request.case === "close" || request.case === "drain") void this.#conn.close();
    else if (request.case !== "connect") throw new Error(`this client cannot ${request.case}`);
  }

  async #call(requested: Requested): Promise<void> {
    const { call: id, method: name, requests, hold, metadata, timeoutMs } = requested;
    let header: ReceivedHeaders | undefined;
    let trailer: ReceivedHeaders | undefined;
    const responses: Result[] = [];
    let error: ParleyError | undefined;
    try {
      const method = methods.find((m) => m.name === name) as Method;
      const call = this.#conn.call(method, {
        headers: addPairs(new Metadata(), metadata),
        timeoutMs: timeoutMs || undefined,
        codec: codecOf(requested),
        onHeader: (h) => (header = h),
        onTrailer: (t) => (trailer = t),
      }) as Call<Method>;
      this.#calls.set(id, { cancel: () => call.cancel(), halfClose: () => call.end() });
      void (async () => {
        const single = method.methodKind === "unary" || method.methodKind === "server_streaming";
        for (const r of requests) await call.send(r, single && !hold);
        if (!single && !hold) call.end();
      })().catch(() => {}); // next fails too
      for (let r = await call.next(); r; r = await call.next()) {
        responses.push(r);
        const onlyOne = method.methodKind === "unary" || method.methodKind === "client_streaming";
        if (onlyOne && responses.length > 1) {
          call.cancel();
          throw new ParleyError("more than one response", 13);
        }
      }
      if ((method.methodKind === "unary" || method.methodKind === "client_streaming") && !responses.length)
        throw new ParleyError("no response", 13);
    } catch (e) {
      error = ParleyError.from(e);
    }
    report(this.id, {
      case: "callEnd",
      value: {
        call: id,
        status: error?.code ?? 0,
        message: error?.rawMessage ?? "",
        details: (error?.details ?? []).map((d) => toBinary(AnySchema, d)),
        responses: error ? responses.filter(() => isStream(name)) : responses,
        header: toPairs(header),
        trailer: toPairs(trailer),
      },
    });
  }
}

function codecOf({ codec, compression }: Requested): Codec {
  const named = codec === "json" ? json : proto;
  return compression ? gzip(named) : named;
}

const isStream = (name: string) => name === "Download" || name === "Bidi";

/** The method a/b of the session vectors: it reads nothing, sends nothing, and waits until the call is over. */
async function* untilOver(_: unknown, { signal }: { signal: AbortSignal }): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
