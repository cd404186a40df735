import { createClient as createConnectClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createClient, createConnection, gzip, type WebSocketConstructor } from "@parley-rpc/client";
import { createParleyTransport } from "@parley-rpc/connect";
import { BenchService } from "../../gen/bench/v1/bench_pb.js";
import type { EngineName } from "../../testing/engines/index.js";
import { bareFetch, bareWebSocket } from "./bare.js";

interface Payload {
  payload: Uint8Array;
}

/** What the clients of all libraries have in common. */
export interface BenchClient {
  echo(request: Payload): Promise<Payload>;
  download(request: { size: number }, options: { signal: AbortSignal }): AsyncIterable<Payload>;
  upload(requests: AsyncIterable<Payload>, options?: { signal: AbortSignal }): Promise<{ messages: bigint; bytes: bigint }>;
  talk(requests: AsyncIterable<Payload>): AsyncIterable<Payload>;
}

/** A library with its default settings. */
export interface Target {
  name: string;
  /** The code that creates the client, for readers. */
  made: string;
  /** Whether it supports client and bidirectional streaming in a browser. */
  sends: boolean;
  /** The names of the workloads that it has figures for, if they are few. */
  only?: readonly string[];
  /** The names of the workloads during which a page in a browser answers nothing any more. */
  stalls?: Partial<Record<EngineName, readonly string[]>>;
  dial(origin: string, WebSocket?: WebSocketConstructor): { client: BenchClient; close(): Promise<void> };
}

const overFetch = (transport: Transport) => ({
  client: createConnectClient(BenchService, transport),
  close: async () => {},
});

/** connect-web uses JSON by default. Here all libraries use the binary format. */
const binary = { useBinaryFormat: true };

export const targets: readonly Target[] = [
  {
    name: "parley",
    made: "createClient of @parley-rpc/client",
    sends: true,
    dial(origin, WebSocket) {
      const conn = createConnection(`${origin}/rpc`, { WebSocket });
      return { client: createClient(BenchService, conn), close: () => conn.close() };
    },
  },
  {
    name: "parley-gzip",
    made: "the same with the codec gzip() of @parley-rpc/client: these messages shrink to 1 % of their size",
    sends: true,
    only: ["unary-64k", "upload-64k"],
    dial(origin, WebSocket) {
      const conn = createConnection(`${origin}/rpc`, { WebSocket, codec: gzip() });
      return { client: createClient(BenchService, conn), close: () => conn.close() };
    },
  },
  {
    name: "parley-connect",
    made: "createClient of @connectrpc/connect over createParleyTransport",
    sends: true,
    dial(origin, WebSocket) {
      const transport = createParleyTransport({ url: `${origin}/rpc`, WebSocket });
      return { client: createConnectClient(BenchService, transport), close: () => transport.connection.close() };
    },
  },
  {
    name: "connect-web",
    made: "createClient of @connectrpc/connect over createConnectTransport",
    sends: false,
    stalls: { webkit: ["stream", "stream-64k"] },
    dial: (origin) => overFetch(createConnectTransport({ baseUrl: origin, ...binary })),
  },
  {
    name: "grpc-web",
    made: "createClient of @connectrpc/connect over createGrpcWebTransport",
    sends: false,
    stalls: { webkit: ["stream", "stream-64k"] },
    dial: (origin) => overFetch(createGrpcWebTransport({ baseUrl: origin, ...binary })),
  },
  {
    name: "bare-websocket",
    made: "new WebSocket: messages of 64 KiB, nothing decoded",
    sends: false,
    only: ["stream-64k"],
    dial: bareWebSocket,
  },
  {
    name: "bare-fetch",
    made: "fetch: bytes in a response, nothing decoded",
    sends: false,
    stalls: { webkit: ["stream-64k"] },
    only: ["stream-64k"],
    dial: bareFetch,
  },
];

export function named<T extends { name: string }>(all: readonly T[], name: string): T {
  const one = all.find((t) => t.name === name);
  if (!one) throw new Error(`nothing is named ${name}: there are ${all.map((t) => t.name).join(", ")}`);
  return one;
}
