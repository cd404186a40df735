import { createRegistry } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createContextKey, createContextValues, type Interceptor } from "@connectrpc/connect";
import { createQueryOptions } from "@connectrpc/connect-query";
import { type Codec, json } from "@parley-rpc/client";
import { createParleyTransport, type ParleyTransport } from "@parley-rpc/connect";
import { QueryClient } from "@tanstack/react-query";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingFailureSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";

let server: Server;
let transport: ParleyTransport;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  transport = createParleyTransport({ url: server.url(), WebSocket });
});
afterEach(() => transport.connection.close());

const ping = () => createClient(PingService, transport);

async function failure(what: Promise<unknown> | AsyncIterable<unknown>): Promise<ConnectError> {
  try {
    if (Symbol.asyncIterator in what) for await (const _ of what);
    else await what;
  } catch (e) {
    expect(e).toBeInstanceOf(ConnectError);
    return e as ConnectError;
  }
  throw new Error("it did not fail");
}

async function* numbers(...all: number[]) {
  for (const number of all) yield { number: BigInt(number) };
}

test("an unmodified Connect client makes all four kinds of call", async () => {
  expect((await ping().ping({ text: "hi" })).text).toBe("hi");
  const counted: bigint[] = [];
  for await (const { number } of ping().countUp({ to: 500n })) counted.push(number);
  expect(counted).toEqual(Array.from({ length: 500 }, (_, i) => BigInt(i + 1)));
  expect(await ping().sum(numbers(1, 2, 3))).toMatchObject({ sum: 6n, count: 3n });
  const sums: bigint[] = [];
  for await (const { sum } of ping().cumSum(numbers(1, 2, 3))) sums.push(sum);
  expect(sums).toEqual([1n, 3n, 6n]);
});

test("messages are sent before the headers arrive", async () => {
  let answered: () => void = () => {};
  async function* input() {
    for (const number of [1n, 2n, 3n]) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield { number };
      await answer;
    }
  }
  const sums: bigint[] = [];
  for await (const { sum } of ping().cumSum(input())) {
    sums.push(sum);
    answered();
  }
  expect(sums).toEqual([1n, 3n, 6n]);
});

test("headers and trailers are where Connect users look for them", async () => {
  const seen: string[] = [];
  const options = {
    headers: { "echo-name": "Ada" },
    onHeader: (h: Headers) => seen.push(`header ${h.get("echo-name")}`),
    onTrailer: (t: Headers) => seen.push(`trailer ${t.get("trailer-echo-name")}`),
  };
  await ping().ping({ text: "hi" }, options);
  for await (const { number } of ping().countUp({ to: 2n }, options)) seen.push(`${number}`);
  await ping().sum(numbers(1), options);
  expect(seen).toEqual(["header Ada", "trailer Ada", "header Ada", "1", "2", "trailer Ada", "header Ada", "trailer Ada"]);
});

test("errors have code, text, details and metadata", async () => {
  const options = { headers: { "echo-name": "Ada" } };
  const error = await failure(ping().ping({ text: "hi", failCode: Code.FailedPrecondition }, options));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toBe("failing as asked");
  expect(error.findDetails(PingFailureSchema)).toMatchObject([{ text: "hi", hint: "leave fail_code out" }]);
  expect(error.metadata.get("trailer-echo-name")).toBe("Ada");
  expect(error.metadata.get("echo-name")).toBe("Ada");
  const overflow = await failure(ping().cumSum(numbers(2 ** 62, 2 ** 62), options));
  expect(overflow.code).toBe(Code.OutOfRange);
  expect(overflow.metadata.get("trailer-echo-name")).toBe("Ada");
});

test("timeouts and signals end calls, as with other transports", async () => {
  expect((await failure(ping().ping({ delayMs: 60_000 }, { timeoutMs: 30 }))).code).toBe(Code.DeadlineExceeded);
  expect((await failure(ping().countUp({ to: 1n, delayMs: 60_000 }, { timeoutMs: 30 }))).code).toBe(Code.DeadlineExceeded);
  const controller = new AbortController();
  const calls = [ping().ping({ delayMs: 60_000 }, controller), ping().countUp({ to: 1n, delayMs: 60_000 }, controller)].map(
    failure,
  );
  await transport.connection.connect();
  controller.abort();
  for (const error of await Promise.all(calls)) expect(error.code).toBe(Code.Canceled);
});

test("defaultTimeoutMs holds for calls without a timeout", async () => {
  const hasty = createParleyTransport({ url: transport.connection, defaultTimeoutMs: 30 });
  expect((await failure(createClient(PingService, hasty).ping({ delayMs: 60_000 }))).code).toBe(Code.DeadlineExceeded);
  const none = createClient(PingService, hasty).ping({ text: "hi", delayMs: 60 }, { timeoutMs: 0 });
  expect((await none).text).toBe("hi");
});

test("a timeout of 0 is none, whatever the connection's default is", async () => {
  const hasty = createParleyTransport({ url: server.url(), WebSocket, defaultTimeoutMs: 30 });
  const client = createClient(PingService, hasty);
  expect((await failure(client.ping({ delayMs: 60_000 }))).code).toBe(Code.DeadlineExceeded);
  expect((await failure(client.countUp({ to: 1n, delayMs: 60_000 }))).code).toBe(Code.DeadlineExceeded);
  expect((await client.ping({ text: "hi", delayMs: 60 }, { timeoutMs: 0 })).text).toBe("hi");
  const own = createParleyTransport({ url: hasty.connection }); // which has a default
  expect((await failure(createClient(PingService, own).ping({ delayMs: 60_000 }))).code).toBe(Code.DeadlineExceeded);
  await hasty.connection.close();
});

test("empty and failed streams have headers and trailers", async () => {
  const seen: string[] = [];
  const options = {
    headers: { "echo-name": "Ada" },
    onHeader: (h: Headers) => seen.push(`header ${h.get("echo-name")}`),
    onTrailer: (t: Headers) => seen.push(`trailer ${t.get("trailer-echo-name")}`),
  };
  for await (const _ of ping().countUp({ to: 0n }, options));
  expect(seen.splice(0)).toEqual(["header Ada", "trailer Ada"]);
  const error = await failure(ping().cumSum(numbers(2 ** 62, 2 ** 62), options));
  expect(seen).toEqual(["header Ada"]);
  expect(error.metadata.get("echo-name")).toBe("Ada");
  expect(error.metadata.get("trailer-echo-name")).toBe("Ada");
});

test("an interceptor that stops reading cancels the call", async () => {
  const once: Interceptor = (next) => async (req) => {
    const res = await next(req);
    if (!res.stream) return res;
    async function* first(messages: AsyncIterable<never>) {
      for await (const m of messages) {
        yield m;
        break;
      }
    }
    return { ...res, message: first(res.message as AsyncIterable<never>) };
  };
  const own = createParleyTransport({ url: transport.connection, interceptors: [once] });
  const got: bigint[] = [];
  for await (const { number } of createClient(PingService, own).countUp({ to: 1_000_000n, delayMs: 1 })) got.push(number);
  expect(got).toEqual([1n]);
  await server.steady(() => ping().ping({}));
});

test("calls go on through the drains of a server, and none fails", async () => {
  const client = ping();
  await client.ping({});
  for (let drain = 0; drain < 3; drain++) {
    const flying = client.ping({ text: "flying", delayMs: 100 });
    const counted: bigint[] = [];
    const streaming = (async () => {
      for await (const { number } of client.countUp({ to: 50n, delayMs: 2 })) counted.push(number);
    })();
    await server.drain();
    for (let i = 0; i < 20; i++) {
      expect((await client.ping({ text: "on" })).text).toBe("on");
      expect(await client.sum(numbers(1, 2))).toMatchObject({ sum: 3n });
    }
    expect((await flying).text).toBe("flying");
    await streaming;
    expect(counted.length).toBe(50);
  }
});

test("codec and registry apply to shared connections too", async () => {
  const asked: string[] = [];
  const noted = (name: string): Codec => ({
    ...json,
    encode: (schema, message) => {
      asked.push(name);
      return json.encode(schema, message);
    },
    withRegistry: () => noted("with registry"),
  });
  const registry = createRegistry(PingService);
  const own = createParleyTransport({ url: server.url(), WebSocket, codec: noted("without"), registry });
  expect((await createClient(PingService, own).ping({ text: "hi" })).text).toBe("hi");
  await own.connection.close();
  const shared = createParleyTransport({ url: transport.connection, codec: noted("without"), registry });
  expect((await createClient(PingService, shared).ping({ text: "hi" })).text).toBe("hi");
  const plain = createParleyTransport({ url: transport.connection, codec: noted("without") });
  expect((await createClient(PingService, plain).ping({ text: "hi" })).text).toBe("hi");
  expect(asked).toEqual(["with registry", "with registry", "without"]);
});

test("interceptors see and change requests and answers of all kinds", async () => {
  const key = createContextKey("unset");
  const seen: string[] = [];
  const interceptor: Interceptor = (next) => async (req) => {
    req.header.set("echo-by", req.contextValues.get(key));
    const res = await next(req);
    seen.push(`${new URL(req.url).pathname} ${res.stream} ${res.header.get("echo-by")}`);
    return res;
  };
  const own = createParleyTransport({ url: transport.connection, interceptors: [interceptor] });
  const contextValues = createContextValues().set(key, "Ada");
  await createClient(PingService, own).ping({}, { contextValues });
  await createClient(PingService, own).sum(numbers(1), { contextValues });
  expect(seen).toEqual(["/rpc/parley.ping.v1.PingService/Ping false Ada", "/rpc/parley.ping.v1.PingService/Sum true Ada"]);
});

test("a stream that is not read stops its server", async () => {
  const before = await server.sent();
  const controller = new AbortController();
  const answers = ping().countUp({ to: 1_000_000n }, controller)[Symbol.asyncIterator]();
  await answers.next();
  expect((await server.steady(() => ping().ping({}))) - before).toBeLessThan((2 * 1_048_576) / 33);
  controller.abort();
});

test("a server that cannot be reached is UNAVAILABLE", async () => {
  const gone = await Server.start();
  await gone.stop();
  const offline = createParleyTransport({ url: gone.url(), WebSocket });
  expect((await failure(createClient(PingService, offline).ping({}))).code).toBe(Code.Unavailable);
  expect((await failure(createClient(PingService, offline).countUp({}))).code).toBe(Code.Unavailable);
  await offline.connection.close();
});

test("invalid headers are named", async () => {
  const error = await failure(ping().ping({}, { headers: { "parley-x": "1" } }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.message).toContain("parley-x is reserved");
});

test("connect-query makes unary calls with it", async () => {
  const client = new QueryClient();
  const options = createQueryOptions(PingService.method.ping, { text: "hi" }, { transport });
  expect(await client.fetchQuery(options)).toMatchObject({ text: "hi" });
  client.clear();
});
