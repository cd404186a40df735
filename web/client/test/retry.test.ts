import { toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { encodeFields, type Field } from "../src/fields.js";
import * as f from "../src/frame.js";
import {
  type CallOptions,
  Code,
  createClient,
  type ParleyError,
  type RetryPolicy,
  retryLater,
  retryPolicy,
  type ServingOptions,
} from "../src/index.js";
import { concat, putBytes, utf8 } from "../src/varint.js";
import { Client, checkErrors, Network, type Peer, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "answer");
  server.responds = false;
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

/** A policy that others are made of. Its delays are the longest ones: 1 s, 2 s, 4 s. */
const often: RetryPolicy = {
  maxAttempts: 4,
  codes: [Code.Unavailable],
  initialBackoffMs: 1000,
  maxBackoffMs: 10_000,
  jitter: (bound) => bound,
};

const connect = (policy: RetryPolicy = often, more: ServingOptions = {}) => {
  client = new Client(network, HOME, { retry: retryPolicy(policy), ...more });
  return createClient(PingService, client.conn);
};

const pair = (key: string, value: string): Field => {
  const out: number[] = [];
  putBytes(out, utf8(key));
  return [9, concat([out, utf8(value)])];
};

/** Ends the calls that have come with a status. It returns how many there were. */
async function fail(
  code: Code = Code.Unavailable,
  ahead?: (peer: Peer, id: number) => void,
  more: Field[] = [],
): Promise<number> {
  await settle();
  const { peer } = server;
  const calls = peer.calls.splice(0);
  for (const { id } of calls) {
    ahead?.(peer, id);
    peer.send(f.END, id, encodeFields([[2, code], [1, utf8("try again")], pair("attempt", `${id}`), ...more])); // biome-ignore format: one line
  }
  await settle();
  return calls.length;
}

/** What a promise has become. */
function outcome<T>(promise: Promise<T>): { value?: T; error?: ParleyError } {
  const out: { value?: T; error?: ParleyError } = {};
  promise.then(
    (value) => {
      out.value = value;
    },
    (e) => {
      Client.errors.push((out.error = e));
    },
  );
  return out;
}

const drain = async <T>(messages: AsyncIterable<T>) => {
  const all: T[] = [];
  for await (const m of messages) all.push(m);
  return all;
};

test("retryable calls are retried after growing delays", async () => {
  const ping = connect({ ...often, budget: { tokens: 100, ratio: 1 } });
  const unary = () => ping.ping({});
  for (const call of [unary, () => drain(ping.countUp({ delayMs: 1 }))]) {
    const out = outcome<unknown>(call());
    for (const ms of [1000, 2000, 4000]) {
      expect(await fail()).toBe(1);
      await pass(ms - 1);
      expect(server.peer.calls.length).toBe(0);
      await pass(1);
    }
    expect(out).toEqual({});
    if (call === unary) server.peer.answer();
    else server.peer.send(f.END, server.peer.calls.splice(0)[0]?.id ?? 0);
    await settle();
    expect(out.error).toBeUndefined();
    expect(out.value).toBeDefined();
  }
});

test("the last attempt is the one that counts", async () => {
  const trailers: (string | null)[] = [];
  const out = outcome(connect().ping({}, { onTrailer: (t) => trailers.push(t.get("attempt")) }));
  for (const ms of [1000, 2000, 4000, 0]) {
    await fail();
    await pass(ms);
  }
  expect(out.error).toMatchObject({ code: Code.Unavailable, rawMessage: "try again" });
  expect(trailers).toEqual(["7"]);
  expect(server.peer.lastStream).toBe(7); // the fourth
});

test("headers are those of the last attempt", async () => {
  const seen: (string | null)[] = [];
  const out = outcome(connect().ping({}, { onHeader: (h) => seen.push(h.get("attempt")) }));
  const header = (peer: Peer, id: number) => peer.send(f.HEADER, id, encodeFields([pair("attempt", `${id}`)]));
  await fail(Code.Unavailable, header);
  expect(seen).toEqual([]);
  await pass(1000);
  header(server.peer, 3);
  server.peer.answer();
  await settle();
  expect(out.value).toMatchObject({ text: "answer" });
  expect(seen).toEqual(["3"]);
});

test("a header that the caller waits for ends the retries", async () => {
  connect();
  const call = client.conn.call(PingService.method.ping);
  void call.send({}, true).catch(() => {});
  const header = outcome(call.header());
  await fail(Code.Unavailable, (peer, id) => peer.send(f.HEADER, id, encodeFields([pair("a", "b")])));
  expect(header.value?.get("a")).toBe("b");
  const out = outcome(call.next());
  await settle();
  expect(out.error?.code).toBe(Code.Unavailable);
});

test("a caller that waits for a header gets the last attempt's", async () => {
  connect();
  const call = client.conn.call(PingService.method.ping);
  void call.send({}, true).catch(() => {});
  const header = outcome(call.header());
  await fail();
  await pass(1000);
  server.peer.send(f.HEADER, 3, encodeFields([pair("a", "b")]));
  await settle();
  expect(header.value?.get("a")).toBe("b");
});

test.each<
  [
    what: string,
    attempts: number,
    call: (ping: ReturnType<typeof connect>, o: CallOptions) => Promise<unknown>,
    options?: CallOptions,
    code?: Code,
    ahead?: (peer: Peer, id: number) => void,
  ]
>([
  ["a client stream", 1, (ping, o) => ping.sum([{}], o), { retryable: true }],
  ["a bidirectional stream", 1, (ping, o) => drain(ping.cumSum([{}], o)), { retryable: true }],
  ["another code", 1, (ping, o) => ping.ping({}, o), {}, Code.Aborted],
  [
    "a call of which a message has come",
    1,
    (ping, o) => drain(ping.countUp({ delayMs: 1 }, o)),
    {},
    Code.Unavailable,
    (peer, id) => peer.send(f.DATA, id),
  ],
  ["a call that has sent more than is kept", 1, (ping, o) => ping.ping({ text: "x".repeat(300 << 10) }, o)],
  ["a call whose deadline is too near", 1, (ping, o) => ping.ping({}, o), { timeoutMs: 1000 }],
  ["a call with a good deadline", 2, (ping, o) => ping.ping({}, o), { timeoutMs: 1001 }],
])(
  "the policy does not count for %s, or does: %i",
  async (_, attempts, call, options = {}, code = Code.Unavailable, ahead = undefined) => {
    // biome-ignore format: one line
    const ping = connect();
    server.onHello = undefined;
    const out = outcome(call(ping, options));
    await fail(code, ahead);
    await pass(1000);
    expect(out.error === undefined).toBe(attempts === 2);
    server.peer.answer();
    await settle();
    expect(out.error === undefined).toBe(attempts === 2);
  },
);

test("the call option makes any method retryable", async () => {
  const method = { ...PingService.method.ping, idempotency: 0 } as typeof PingService.method.ping;
  connect();
  for (const retryable of [false, true]) {
    const call = client.conn.call(method, { retryable });
    void call.send({}, true).catch(() => {});
    const out = outcome(call.next());
    await fail();
    await pass(1000);
    expect(server.peer.calls.length).toBe(retryable ? 1 : 0);
    expect(out.error === undefined).toBe(retryable);
    server.peer.answer();
    await settle();
  }
});

test("the deadline ends a call that waits for its next attempt", async () => {
  const out = outcome(connect({ ...often, initialBackoffMs: 1000 }).ping({}, { timeoutMs: 1500 }));
  await fail();
  await pass(1000);
  await pass(500);
  expect(out.error?.code).toBe(Code.DeadlineExceeded);
});

test("a call that is canceled while it waits for its next attempt is over", async () => {
  const controller = new AbortController();
  const out = outcome(connect().ping({}, { signal: controller.signal }));
  await fail();
  controller.abort();
  await settle();
  expect(out.error?.code).toBe(Code.Canceled);
  expect(vi.getTimerCount()).toBeLessThan(3); // those of the connection
});

test("a lost session is a failure as any other: UNAVAILABLE", async () => {
  const out = outcome(connect({ ...often, initialBackoffMs: 10_000 }).ping({}));
  await settle();
  server.peer.close(4014, "overloaded");
  await settle();
  expect(out.error).toBeUndefined();
  await pass(20_000);
  server.peer.answer();
  await settle();
  expect(out.value).toMatchObject({ text: "answer" });
});

test("a call without a connection is retried", async () => {
  network.answer(HOME, undefined);
  const ping = connect();
  const out = outcome(ping.ping({}));
  await settle();
  expect(out.error).toBeUndefined();
  server = network.serve(HOME, "answer");
  await pass(15_000);
  await settle();
  expect(out.value).toMatchObject({ text: "answer" });
});

test("the server's delay is added, unless it exceeds the longest", async () => {
  const later = (ms: number): Field[] => retryLater(ms).details.map((d): Field => [11, toBinary(AnySchema, d)]);
  const ping = connect();
  const out = outcome(ping.ping({}));
  await fail(Code.Unavailable, undefined, later(500));
  await pass(1499);
  expect(server.peer.calls.length).toBe(0);
  await pass(1);
  expect(server.peer.calls.length).toBe(1);
  await fail(Code.Unavailable, undefined, later(10_001));
  expect(out.error).toMatchObject({ code: Code.Unavailable });
});

test("the budget ends retries until calls succeed", async () => {
  const ping = connect({ ...often, budget: { tokens: 4, ratio: 1 } });
  const attempts = async () => {
    const out = outcome(ping.ping({}));
    let n = 0;
    while ((await fail()) > 0) {
      n++;
      await pass(10_000);
    }
    expect(out.error?.code).toBe(Code.Unavailable);
    return n;
  };
  expect(await attempts()).toBe(2); // 4 to 2
  expect(await attempts()).toBe(1);
  for (let i = 0; i < 4; i++) {
    const out = outcome(ping.ping({}));
    await settle();
    server.peer.answer();
    await settle();
    expect(out.value).toBeDefined();
  }
  expect(await attempts()).toBe(2);
});

test("a malformed policy is named", () => {
  connect();
  for (const [field, change] of [
    ["maxAttempts", { maxAttempts: 1 }],
    ["maxAttempts", { maxAttempts: Number.NaN }],
    ["codes", { codes: [] }],
    ["initialBackoffMs", { initialBackoffMs: -1 }],
    ["maxBackoffMs", { maxBackoffMs: 1 }],
    ["multiplier", { multiplier: 0.5 }],
    ["budget", { budget: { tokens: 0, ratio: 1 } }],
    ["budget", { budget: { tokens: 1, ratio: -1 } }],
  ] as const) {
    expect(() => retryPolicy({ ...often, ...change })).toThrow(`invalid_argument: RetryPolicy.${field} must`);
  }
});

test("the default timeout holds for calls that have none of their own", async () => {
  client = new Client(network, HOME, { defaultTimeoutMs: 500 });
  const ping = createClient(PingService, client.conn);
  const outs = [ping.ping({}), ping.ping({}, { timeoutMs: 1000 }), ping.ping({}, { timeoutMs: Number.POSITIVE_INFINITY })].map(outcome); // biome-ignore format: one line
  await pass(500);
  expect(outs.map((o) => o.error?.message)).toEqual(["deadline_exceeded: no response within 500 ms", undefined, undefined]);
  await pass(500);
  expect(outs[1]?.error?.code).toBe(Code.DeadlineExceeded);
  server.peer.answer();
  await settle();
  expect(outs[2]?.value).toBeDefined();
});

test("an idle timeout ends a call without messages", async () => {
  client = new Client(network, HOME);
  const call = client.conn.call(PingService.method.cumSum, { idleTimeoutMs: 1000 });
  const out = outcome(call.next());
  for (let i = 0; i < 3; i++) {
    await pass(900);
    await call.send({});
  }
  await pass(900);
  server.peer.send(f.DATA, server.peer.lastStream, Uint8Array.of(8, 5));
  await settle();
  expect(out.value?.sum).toBe(5n);
  const next = outcome(call.next());
  await pass(999);
  expect(next.error).toBeUndefined();
  await pass(1);
  expect(next.error?.message).toBe("deadline_exceeded: idle: no message for 1000 ms");
  const none = client.conn.call(PingService.method.cumSum, { idleTimeoutMs: Number.POSITIVE_INFINITY });
  await pass(100_000);
  expect(none.over).toBe(false);
  none.cancel();
});

test("a call whose attempts find no server fails with the last error", async () => {
  network.answer(HOME, undefined);
  const call = connect().ping({}, { retryable: true });
  const error = call.catch((e: ParleyError) => e.message);
  await pass(60_000);
  expect(await Promise.race([error, "still waiting"])).toBe("unavailable: could not connect: connection refused");
});
