import { create } from "@bufbuild/protobuf";
import { Code, Connection, createClient, createConnection, json, ParleyError, type ServingConnection } from "@parley-rpc/client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { AgentService, HubService } from "../../gen/parley/agent/v1/agent_pb.js";
import { PingFailureSchema, PingRequestSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";
import { until } from "../../testing/until.js";

let server: Server;
let conn: ServingConnection;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  conn = createConnection(server.url(), { WebSocket });
});
afterEach(() => conn.close());

const ping = () => createClient(PingService, conn);

/** What a promise, or a loop, fails with. */
async function failure(what: Promise<unknown> | AsyncIterable<unknown>): Promise<ParleyError> {
  try {
    if (Symbol.asyncIterator in what) for await (const _ of what);
    else await what;
  } catch (e) {
    expect(e).toBeInstanceOf(ParleyError);
    return e as ParleyError;
  }
  throw new Error("it did not fail");
}

async function* numbers(...all: number[]) {
  for (const n of all) yield { number: BigInt(n) };
}

test("a unary call is answered", async () => {
  expect((await ping().ping({ text: "hi" })).text).toBe("hi");
  expect((await ping().ping(create(PingRequestSchema, { text: "again" }))).text).toBe("again");
  expect(conn.state).toBe("ready");
});

test("a server stream comes in order, and ends", async () => {
  const got: bigint[] = [];
  for await (const { number } of ping().countUp({ to: 1000n })) got.push(number);
  expect(got).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
});

test("a client stream is added up", async () => {
  expect(await ping().sum(numbers(1, 2, 3, 4))).toMatchObject({ sum: 10n, count: 4n });
  expect(await ping().sum([])).toMatchObject({ sum: 0n, count: 0n });
});

test("a bidirectional stream is answered message by message", async () => {
  const steps: string[] = [];
  let answered: () => void = () => {};
  async function* input() {
    for (const n of [5, 6, 7]) {
      steps.push(`send ${n}`);
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield { number: BigInt(n) };
      await answer;
    }
  }
  for await (const { sum } of ping().cumSum(input())) {
    steps.push(`sum ${sum}`);
    answered();
  }
  expect(steps).toEqual(["send 5", "sum 5", "send 6", "sum 11", "send 7", "sum 18"]);
});

test("a hundred calls at once share one WebSocket", async () => {
  let sockets = 0;
  class Counted extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets++;
    }
  }
  const one = createConnection(server.url(), { WebSocket: Counted });
  const client = createClient(PingService, one);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.ping({ text: `${i}` })));
  expect(answers.map((a) => a.text)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  expect(sockets).toBe(1);
  await one.close();
});

test("messages larger than the windows pass in both directions", async () => {
  const text = "x".repeat(3_000_000);
  expect((await ping().ping({ text })).text).toBe(text);
});

test("the JSON codec works", async () => {
  expect((await ping().ping({ text: "hi" }, { codec: json })).text).toBe("hi");
});

test("headers and trailers travel both ways", async () => {
  let header = new Headers();
  let trailer = new Headers();
  const headers = { "Echo-Name": "Ada", "echo-key-bin": "AAH/" };
  const options = { headers, onHeader: (h: Headers) => (header = h), onTrailer: (t: Headers) => (trailer = t) };
  await ping().ping({ text: "hi" }, options);
  expect(header.get("echo-name")).toBe("Ada");
  expect(header.get("echo-key-bin")).toBe("AAH/");
  expect(trailer.get("trailer-echo-name")).toBe("Ada");
});

test("an error has its code, text and details, and its trailers", async () => {
  const error = await failure(ping().ping({ text: "hi", failCode: Code.NotFound }, { headers: { "echo-a": "b" } }));
  expect(error.code).toBe(Code.NotFound);
  expect(error.message).toBe("not_found: failing as asked");
  expect(error.findDetails(PingFailureSchema)).toMatchObject([{ text: "hi", hint: "leave fail_code out" }]);
  expect(error.trailer?.get("trailer-echo-a")).toBe("b");
});

test("each of the codes arrives", async () => {
  for (let code = 1; code <= 16; code++) expect((await failure(ping().ping({ failCode: code }))).code).toBe(code);
});

test("an unknown method is UNIMPLEMENTED", async () => {
  const error = await failure(createClient(AgentService, conn).describe({}));
  expect(error.code).toBe(Code.Unimplemented);
  expect(error.message).toContain("AgentService");
});

test("leaving the loop cancels the call", async () => {
  const before = await server.sent();
  for await (const { number } of ping().countUp({ to: 1_000_000n, delayMs: 1 })) if (number === 3n) break;
  expect((await server.steady(() => ping().ping({}))) - before).toBeLessThan(1000);
});

test("leaving during next cancels and ends the wait", async () => {
  const answers = ping().countUp({ to: 2n, delayMs: 60_000 })[Symbol.asyncIterator]();
  const waiting = answers.next();
  await answers.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("a signal cancels each kind", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  async function* never() {
    await new Promise(() => {});
    yield {};
  }
  const calls = [
    ping().ping({ delayMs: 60_000 }, { signal }),
    ping().sum(never(), { signal }),
    failure(ping().countUp({ to: 1n, delayMs: 60_000 }, { signal })).then((e) => Promise.reject(e)),
    failure(ping().cumSum(never(), { signal })).then((e) => Promise.reject(e)),
  ].map((call) => failure(call));
  await conn.connect();
  controller.abort(new Error("enough"));
  for (const error of await Promise.all(calls)) {
    expect(error.message).toBe("canceled: enough");
    expect(error.cause).toEqual(new Error("enough"));
  }
  expect((await failure(ping().ping({}, { signal }))).code).toBe(Code.Canceled);
});

test("timeouts and AbortSignal.timeout are DEADLINE_EXCEEDED", async () => {
  const late = await failure(ping().ping({ delayMs: 60_000 }, { timeoutMs: 30 }));
  expect(late.message).toMatch(/^deadline_exceeded: /);
  expect((await failure(ping().ping({ delayMs: 60_000 }, { signal: AbortSignal.timeout(30) }))).code).toBe(Code.DeadlineExceeded);
  expect((await failure(ping().ping({}, { timeoutMs: 0 }))).code).toBe(Code.DeadlineExceeded);
  expect((await failure(ping().countUp({ to: 3n, delayMs: 40 }, { timeoutMs: 60 }))).code).toBe(Code.DeadlineExceeded);
});

test("a message over the server's limit fails its call only", async () => {
  const error = await failure(ping().ping({ text: "x".repeat(5 << 20) }));
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.message).toContain("exceeds the peer's limit of 4194304");
  expect((await ping().ping({ text: "hi" })).text).toBe("hi");
});

test("an answer over this end's limit fails its call only", async () => {
  const small = createConnection(server.url(), { WebSocket, settings: { maxMessage: 65_536 } });
  const error = await failure(createClient(PingService, small).ping({ text: "x".repeat(100_000) }));
  expect(error.code).toBe(Code.ResourceExhausted);
  expect((await createClient(PingService, small).ping({ text: "hi" })).text).toBe("hi");
  await small.close();
});

test("invalid header names and values are named", async () => {
  for (const [headers, text] of [
    [{ "a b": "c" }, /invalid_argument: headers: .*a b/],
    [{ "a!": "c" }, /invalid_argument: headers: the name a! is reserved, or/],
    [{ "parley-x": "c" }, /reserved/],
    [{ a: "é" }, /value of a is not printable ASCII/],
    [{ a: "line\nbreak" }, /invalid_argument: headers: /],
    [{ "a-bin": "*" }, /value of a-bin is not base64/],
  ] as const) {
    const error = await failure(ping().ping({}, { headers }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toMatch(text);
  }
});

test("a header over the server's limit fails its call only", async () => {
  const error = await failure(ping().ping({}, { headers: { big: "x".repeat(100_000) } }));
  expect(error.message).toMatch(/^resource_exhausted: header of \d+ bytes exceeds the peer's limit/);
  expect((await ping().ping({ text: "hi" })).text).toBe("hi");
});

test("a source that throws fails its call with that cause", async () => {
  async function* bad() {
    yield { number: 1n };
    throw new Error("the source is dry");
  }
  const error = await failure(ping().sum(bad()));
  expect(error.message).toBe("unknown: the source is dry");
  expect((await failure(ping().cumSum(bad()))).message).toBe("unknown: the source is dry");
});

test("a call that ends early ends its source", async () => {
  let ended = false;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<{ number: bigint }>>(() => {}),
      return: async () => {
        ended = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  expect((await failure(ping().sum(source, { timeoutMs: 30 }))).code).toBe(Code.DeadlineExceeded);
  expect(ended).toBe(true);
});

test("a source that has ended is not returned as well", async () => {
  let returned = 0;
  const values = [{ number: 1n }, { number: 2n }];
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const value = values.shift();
        return value ? { done: false as const, value } : { done: true as const, value: undefined };
      },
      return: async () => {
        returned++;
        return { done: true as const, value: undefined };
      },
    }),
  };
  expect((await ping().sum(source)).sum).toBe(3n);
  expect(returned).toBe(0);
});

test("a slow consumer stops only its server", async () => {
  const before = await server.sent();
  const answers = ping().countUp({ to: 1_000_000n })[Symbol.asyncIterator]();
  await answers.next();
  const all: bigint[] = [];
  for await (const { number } of ping().countUp({ to: 3000n })) all.push(number);
  expect(all.length).toBe(3000);
  const sent = await server.steady(() => ping().ping({}));
  // A message costs about 36 bytes of a window of 1 MiB.
  expect(sent - before - 3000).toBeLessThan((2 * 1_048_576) / 33);
  await answers.return();
});

test("the server calls the client", async () => {
  const seen: string[] = [];
  conn.serve(AgentService, {
    describe: async (_, context) => {
      seen.push(context.method.name);
      return { platform: "a page", uptimeS: 7n };
    },
    async *watch({ count }) {
      for (let number = 1; number <= count; number++) yield { reading: { number, temperature: 20.5 } };
    },
  });
  const hub = createClient(HubService, conn);
  const { agents } = await hub.listAgents({});
  expect(agents[0]?.description).toMatchObject({ platform: "a page", uptimeS: 7n });
  const got: number[] = [];
  for await (const { reading } of hub.watchAgent({ watch: { count: 500 } })) got.push(reading?.number ?? 0);
  expect(got).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  expect(seen).toEqual(["Describe"]);
});

test("served errors keep their code, unknown methods are UNIMPLEMENTED", async () => {
  const hub = createClient(HubService, conn);
  expect((await failure(hub.listAgents({}))).code).toBe(Code.Unimplemented);
  conn.serve(AgentService, {
    describe: () => {
      throw new ParleyError("not today", Code.FailedPrecondition).withDetail(PingFailureSchema, { hint: "tomorrow" });
    },
  });
  const error = await failure(hub.listAgents({}));
  expect(error.message).toBe("failed_precondition: not today");
  expect(error.findDetails(PingFailureSchema)).toMatchObject([{ hint: "tomorrow" }]);
  expect((await failure(hub.watchAgent({}))).code).toBe(Code.Unimplemented);
});

test("a connection that serves nothing says so", async () => {
  const calling = new Connection(server.url(), { WebSocket });
  const error = await failure(createClient(HubService, calling).listAgents({}));
  expect(error.message).toBe("unimplemented: unknown service");
  await calling.close();
});

test("an unexpected error of a method is shown only locally", async () => {
  const errors: unknown[] = [];
  const own = createConnection(server.url(), { WebSocket, onServeError: (e) => errors.push(e) });
  own.serve(AgentService, {
    describe: () => {
      throw new Error("a secret");
    },
  });
  const error = await failure(createClient(HubService, own).listAgents({}));
  expect(error.code).toBe(Code.Internal);
  expect(error.message).not.toContain("secret");
  expect(errors).toEqual([new Error("a secret")]);
  await own.close();
});

test("a served stream learns that its caller has left", async () => {
  let left = false;
  conn.serve(AgentService, {
    async *watch(_, { signal }) {
      signal.addEventListener("abort", () => {
        left = true;
      });
      for (let number = 1; !signal.aborted; number++) yield { reading: { number } };
    },
  });
  for await (const { reading } of createClient(HubService, conn).watchAgent({ watch: {} })) if (reading?.number === 10) break;
  await until("the handler is told", () => left);
});

test("closing fails calls in flight with CANCELED, and calls after it", async () => {
  await conn.connect();
  const flying = failure(ping().ping({ delayMs: 60_000 }));
  const began = Date.now();
  await conn.close();
  expect(Date.now() - began).toBeLessThan(1500);
  expect((await flying).message).toBe("canceled: connection closed");
  expect((await failure(ping().ping({}))).message).toBe("canceled: connection closed");
  expect(conn.state).toBe("closed");
  await expect(conn.connect()).rejects.toThrow("connection closed");
  await conn.close();
});

test("settings out of bounds are named", () => {
  expect(() => createConnection("ws://example.com", { settings: { maxFrame: 1 } })).toThrow(
    "maxFrame is not from 16384 to 1048576",
  );
});
