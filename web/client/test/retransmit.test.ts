import { Code, createClient, ParleyError } from "@parley-rpc/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { encodeFields } from "../src/fields.js";
import { Client, checkErrors, Network, type Peer, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";
const REFUSED = 2;

let network: Network;
let server: TestServer;
let client: Client;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "home");
  server.responds = false;
  client = new Client(network, HOME);
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

const ping = (c = client) => createClient(PingService, c.conn);
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "OK",
    (e: unknown) => {
      expect(e).toBeInstanceOf(ParleyError);
      return (e as ParleyError).message;
    },
  );

async function* numbers() {
  for (const number of [1n, 2n, 3n]) yield { number };
}
async function all<T>(answers: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const a of answers) got.push(a);
  return got;
}

/** The four kinds of calls, each with what it sends. */
const kinds: [string, () => Promise<unknown>, string[]][] = [
  ["unary", () => ping().ping({ text: "hi" }), ["OPEN 1", "DATA 1"]],
  ["server-streaming", () => all(ping().countUp({ to: 3n })), ["OPEN 1", "DATA 1"]],
  ["client-streaming", () => ping().sum(numbers()), ["OPEN 1", "DATA 1", "DATA 1", "DATA 1", "END 1"]],
  ["bidirectional", () => all(ping().cumSum(numbers())), ["OPEN 1", "DATA 1", "DATA 1", "DATA 1", "END 1"]],
];

const refusals: [string, (p: Peer) => void][] = [
  ["goes away", (p) => p.goaway(0)],
  [
    "goes away, and resets it too",
    (p) => {
      p.goaway(0);
      p.reset(1, REFUSED);
    },
  ],
  [
    "has given notice, and resets it",
    (p) => {
      p.goaway(1);
      p.reset(1, REFUSED);
    },
  ],
];

describe("an unprocessed call is sent again on a new session", () => {
  for (const [how, refuse] of refusals) {
    for (const [kind, call, frames] of kinds) {
      test(`whole and in order, when it ${how}: ${kind}`, async () => {
        void outcome(call());
        await settle();
        const next = network.serve(HOME, "next");
        next.responds = false;
        refuse(server.peer);
        await settle();
        expect(next.peers.length).toBe(1);
        expect(next.peer.frames.filter((f) => /OPEN|DATA|END/.test(f))).toEqual(frames);
      });
    }
  }

  test("with what it sends afterwards", async () => {
    const call = client.conn.call(PingService.method.cumSum);
    await call.send({ number: 1n });
    const next = network.serve(HOME, "next");
    next.responds = false;
    server.peer.goaway(0);
    await settle();
    await call.send({ number: 2n });
    await call.send({ number: 3n }, true);
    await settle();
    expect(next.peer.frames.filter((f) => /OPEN|DATA|END/.test(f))).toEqual(["OPEN 1", "DATA 1", "DATA 1", "DATA 1"]);
    call.cancel();
  });

  test("when it is refused before HELLO", async () => {
    server.handleHello = (peer) => peer.close(4014, "overloaded");
    const call = client.ping();
    await settle();
    network.serve(HOME, "next");
    await pass(1000);
    expect(await call).toBe("next");
  });

  test("when the session is lost that it waited for", async () => {
    await client.conn.connect();
    network.answer(HOME, undefined);
    server.peer.close();
    await settle();
    const calls = [client.ping("", true), client.ping()];
    await pass(1000);
    network.serve(HOME, "next"); // it does not know the session
    await pass(10_000);
    expect(await Promise.all(calls)).toEqual(["next", "next"]);
  });

  test("at most four times, even with waitForReady", async () => {
    server.onHello = (peer) => void setTimeout(() => peer.goaway(0), 10);
    for (const patient of [false, true]) {
      const call = client.ping("", patient);
      await pass(60_000);
      expect(await call).toBe("unavailable: the peer sent GOAWAY: deploy");
      expect(server.peers.filter((p) => p.frames.includes("OPEN 1")).length).toBe(5);
      server.peers = [];
    }
    server.onHello = undefined;
  });

  test("until its caller leaves", async () => {
    network.answer(HOME, server);
    const stop = new AbortController();
    const call = outcome(ping().ping({}, { signal: stop.signal, waitForReady: true }));
    await settle();
    network.answer(HOME, undefined);
    server.peer.goaway(0);
    await pass(60_000);
    stop.abort(new ParleyError("enough", Code.Canceled));
    expect(await call).toBe("canceled: enough");
    const next = network.serve(HOME, "next");
    await pass(60_000);
    expect(next.peer.frames.filter((f) => f.startsWith("OPEN"))).toEqual([]);
  });
});

describe("a call that may be processed is not sent again", () => {
  for (const [how, end, text] of [
    ["it is canceled", (p: Peer) => p.reset(1, 1), "hi"],
    ["its status is UNAVAILABLE", (p: Peer) => p.send(5, 1, encodeFields([[2, 14]])), "hi"],
    ["its session is closed", (p: Peer) => p.close(1011), "hi"],
    ["more was sent than is kept", (p: Peer) => p.goaway(0), "x".repeat(300 << 10)],
    [
      "a part of its answer has come",
      (p: Peer) => {
        p.send(4, 1);
        p.reset(1, REFUSED);
      },
      "hi",
    ],
  ] as const) {
    test(`as ${how}`, async () => {
      // It takes large messages.
      server.handleHello = (peer) =>
        peer.sendHello([
          [4, 1 << 20],
          [10, 1 << 20],
        ]);
      await client.conn.connect();
      const call = outcome(ping().ping({ text }));
      await settle();
      const next = network.serve(HOME, "next");
      end(server.peer);
      await pass(5000);
      expect(await call).not.toBe("OK");
      expect(next.peers.flatMap((p) => p.frames).filter((f) => f.startsWith("OPEN"))).toEqual([]);
    });
  }
});

test("a refused call is not sent again on the same session", async () => {
  const call = client.ping();
  await settle();
  server.peer.reset(1, REFUSED);
  expect(await call).toBe("unavailable: stream reset by the peer (code 2)");
  expect(server.peer.frames.filter((f) => f.startsWith("OPEN"))).toEqual(["OPEN 1"]);
  expect(network.take()).toEqual([HOME]);
});

test("a refused call is sent again to another server", async () => {
  const OTHER = "ws://other.example/rpc";
  network.serve(OTHER, "other");
  const c = new Client(network, [HOME, OTHER], { balancer: "roundRobin" });
  await c.conn.connect();
  await settle();
  const calls = [c.ping(), c.ping()];
  await settle();
  server.peer.reset(1, REFUSED);
  expect(await Promise.all(calls)).toEqual(["other", "other"]);
  await c.conn.close();
});

test("a caller that leaves does not end the wait of others", async () => {
  network.dialMs = 5000;
  server.responds = true;
  const other = client.ping();
  const call = outcome(ping().ping({}, { signal: AbortSignal.abort() }));
  const stop = new AbortController();
  const second = outcome(ping().ping({}, { signal: stop.signal }));
  const third = outcome(ping().ping({}, { timeoutMs: 1000, waitForReady: true }));
  stop.abort(new ParleyError("enough", Code.Canceled));
  expect(await call).toMatch(/^canceled/);
  expect(await second).toBe("canceled: enough");
  await pass(1000);
  expect(await third).toMatch(/^deadline_exceeded/);
  await pass(4000);
  expect(await other).toBe("home");
  expect(network.take()).toEqual([HOME]);
});

test("received messages can be read after the session has ended", async () => {
  for (const end of [(p: Peer) => p.close(1011), (p: Peer) => p.goaway(1, { status: 8 })]) {
    const call = client.conn.call(PingService.method.countUp);
    await call.send({ to: 10n }, true);
    await settle();
    const { peer } = server;
    for (const number of [1, 2]) peer.send(4, 1, Uint8Array.of(8, number));
    await settle();
    end(peer);
    if (client.conn.state === "ready") peer.close(4008);
    await settle();
    expect([(await call.next())?.number, (await call.next())?.number]).toEqual([1n, 2n]);
    expect(await outcome(call.next())).not.toBe("OK");
    await pass(10_000);
  }
});

test("a RESET drops what was not read", async () => {
  const call = client.conn.call(PingService.method.countUp);
  await call.send({ to: 10n }, true);
  await settle();
  server.peer.send(4, 1, Uint8Array.of(8, 1));
  server.peer.reset(1, 256 + Code.Aborted);
  await settle();
  expect(await outcome(call.next())).toMatch(/^aborted/);
});
