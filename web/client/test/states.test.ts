import { Code, ParleyError } from "@parley-rpc/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Client, checkErrors, Network, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";
const OTHER = "ws://other.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "home");
  client = new Client(network, HOME);
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

test("the states follow the connection", async () => {
  network.dialMs = 1000;
  network.answer(HOME, { status: 403 });
  expect(client.conn.state).toBe("idle");
  const refused = client.ping();
  await pass(3_600_000);
  expect(await refused).toMatch(/^permission_denied/);
  network.answer(HOME, server);
  const call = client.ping();
  await pass(1000);
  expect(await call).toBe("home");
  network.answer(HOME, undefined);
  server.peer.close();
  await pass(1000);
  network.answer(HOME, server);
  await pass(15_000);
  await client.conn.close();
  expect(client.take()).toEqual(["connecting", "failed", "connecting", "ready", "resuming", "ready", "closed"]);
  expect(client.conn.state).toBe("closed");
  await expect(client.conn.connect()).rejects.toMatchObject({ code: Code.Canceled });
});

test("after an ordinary close the connection is idle, and a call reconnects", async () => {
  await client.conn.connect();
  server.peer.close(1000, "done");
  await settle();
  expect(client.conn.state).toBe("idle");
  await pass(3_600_000);
  expect(network.dials.length).toBe(1);
  expect(await client.ping()).toBe("home");
});

test("a server that ends each session at once is not dialed in a loop", async () => {
  for (const end of [1000, 1001, 1012, 1011, "goaway", "notice"] as const) {
    server = network.serve(HOME, "home");
    server.responds = false;
    server.onHello = (peer) => {
      if (end === "goaway") peer.goaway(0);
      else if (end === "notice") peer.notice();
      else peer.close(end);
    };
    const c = new Client(network, HOME);
    network.take();
    for (let i = 0; i < 60; i++) {
      void c.ping("", true);
      await pass(1000);
    }
    expect(network.take().length).toBeLessThan(end === 1000 ? 60 * 5 + 1 : 70);
    await c.conn.close();
  }
});

test("a rejected client dials again only with the next call", async () => {
  for (const [status, code] of [
    [403, "permission_denied"],
    [401, "unauthenticated"],
    [404, "unimplemented"],
  ] as const) {
    network.answer(HOME, { status });
    const c = new Client(network, HOME);
    network.take();
    for (let i = 0; i < 2; i++) {
      expect(await c.ping("", true)).toContain(`${code}: `);
      await pass(3_600_000);
      expect(network.take()).toEqual([HOME]);
      expect(c.conn.state).toBe("failed");
    }
    network.serve(HOME, "home");
    expect(await c.ping()).toBe("home");
    await c.conn.close();
  }
});

test("concurrent calls share one attempt, and fail with it", async () => {
  network.dialMs = 3000;
  network.answer(HOME, undefined);
  const first = client.ping();
  await pass(1000);
  const second = client.ping();
  await pass(2000);
  expect(await first).toMatch(/^unavailable: could not connect/);
  expect(await second).toMatch(/^unavailable: could not connect/);
  expect(network.dials.length).toBe(1);
});

test("a call fails at once with the last error while the next attempt waits", async () => {
  network.answer(HOME, undefined);
  await client.ping();
  for (let i = 0; i < 20; i++) {
    const dials = network.dials.length;
    expect(await client.ping()).toBe("unavailable: could not connect: connection refused");
    expect(network.dials.length).toBe(dials);
    await pass(1000);
  }
});

test("attempts are at most ten seconds apart", async () => {
  network.answer(HOME, undefined);
  void client.ping("", true);
  await pass(600_000);
  const gaps = network.dials.slice(1).map((d, i) => d.at - (network.dials[i]?.at ?? 0));
  expect(gaps.slice(0, 8)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
  expect(Math.max(...gaps)).toBe(10_000);
});

describe("listeners", () => {
  test("that throw affect neither others nor the process", async () => {
    const told: unknown[] = [];
    vi.stubGlobal("reportError", (e: unknown) => told.push(e));
    const seen: string[] = [];
    client.conn.subscribe(() => {
      throw new Error("a bug of the application");
    });
    client.conn.subscribe((state) => seen.push(state));
    expect(await client.ping()).toBe("home");
    expect(seen).toEqual(["connecting", "ready"]);
    expect(told.length).toBe(2);
  });

  test("that unsubscribed are not called again, even for earlier changes", async () => {
    const seen: string[] = [];
    const end = client.conn.subscribe((state) => seen.push(state));
    const call = client.ping();
    end();
    await call;
    expect(seen).toEqual([]);
  });

  test("may close the connection, or make calls", async () => {
    const answers: Promise<string>[] = [];
    client.conn.subscribe((state) => {
      if (state === "connecting") answers.push(client.ping());
      if (state === "ready") void client.conn.close();
    });
    answers.push(client.ping());
    await settle();
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^(home|canceled: connection closed)$/);
    expect(client.conn.state).toBe("closed");
  });
});

/** What can happen to a connection, in whatever state it is. */
const happenings: [string, (s: TestServer, other: TestServer) => void][] = [
  ["notice", (s) => s.peer?.notice(500)],
  ["notice with a delay", (s) => s.peer?.notice(50_000)],
  ["goaway", (s) => s.peer?.goaway(0)],
  ["goaway with a delay", (s) => s.peer?.goaway(s.peer.lastStream, { delay: 50_000 })],
  ["goaway with a status", (s) => s.peer?.goaway(0, { status: Code.Unavailable })],
  ["lost link", (s) => s.peer?.close()],
  ["close without a code", (s) => s.peer?.close(1005)],
  ...[1000, 1001, 1008, 1011, 1012, 1013, 3333, 4000, 4007, 4010, 4014, 4016, 4112].map(
    (code) => [`close with ${code}`, (s: TestServer) => s.peer?.close(code)] as [string, (s: TestServer) => void],
  ),
  ["malformed frame", (s) => s.peer?.send(0x0c, 0)],
  ["refused connections", () => network.answer(HOME, undefined)],
  ["HTTP 503", () => network.answer(HOME, { status: 503 })],
  ["HTTP 403", () => network.answer(HOME, { status: 403 })],
  ["HTTP 400", () => network.answer(HOME, { status: 400 })],
  ["an odd HTTP status", () => network.answer(HOME, { status: 299 })],
  ["a new server", () => network.serve(HOME, "new")],
  ["a silent server", (s) => void (s.sendsHello = false)],
  ["the same server", (s) => network.answer(HOME, s)],
  ["another server down", () => network.answer(OTHER, undefined)],
];

/** What follows on each of them. */
const sequels = ["lost link", "goaway", "refused connections", "a new server"];

for (const [balancer, urls] of [
  ["pickFirst", [HOME]],
  ["pickFirst", [HOME, OTHER]],
  ["roundRobin", [HOME, OTHER]],
] as const) {
  test(`no error says undefined, whatever happens: ${balancer} with ${urls.length}`, async () => {
    const seen = new Set<string>();
    for (const [name, happens] of happenings) {
      for (const [sequel, follows] of happenings.filter(([n]) => sequels.includes(n))) {
        server = network.serve(HOME, "home");
        const other = network.serve(OTHER, "other");
        const c = new Client(network, [...urls], { balancer, credentials: () => "secret" });
        const step = async (ms: number) => {
          void c.ping();
          void c.ping("", true);
          await pass(ms);
          seen.add(c.conn.state);
          if (c.conn.error) Client.errors.push(c.conn.error);
          if (c.conn.state === "failed") expect(c.conn.error, `${name}, ${sequel}`).toBeInstanceOf(ParleyError);
        };
        seen.add(c.conn.state);
        await step(0);
        happens(server, other);
        await step(0);
        follows(server, other);
        await step(0);
        await step(40_000);
        await c.conn.close();
        await step(0);
        checkErrors();
      }
    }
    const all = ["connecting", "failed", "idle", "ready", "resuming"];
    expect([...seen]).toEqual(expect.arrayContaining(urls.length > 1 ? ["closed"] : ["closed", ...all]));
  }, 120_000);
}
