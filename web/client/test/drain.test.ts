import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Client, checkErrors, Network, NOTICE, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "old");
  client = new Client(network, HOME);
  await client.conn.connect();
  network.take();
  client.take();
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

describe("a server that gives notice", () => {
  test("lets an idle client connect at the announced delay, not before", async () => {
    network.serve(HOME, "new");
    server.peer.notice(1500);
    await pass(1499);
    expect(network.take()).toEqual([]);
    await pass(1);
    expect(network.take()).toEqual([HOME]);
    expect(await client.ping()).toBe("new");
    expect(client.take()).toEqual([]); // it was ready all the time
  });

  test("delays no call: calls use the old session meanwhile", async () => {
    network.dialMs = 1000;
    network.serve(HOME, "new");
    server.peer.notice(1500);
    await settle();
    expect(await client.ping()).toBe("old");
    expect(network.dials.length).toBe(1);
    await pass(999);
    expect(await client.ping("", true)).toBe("old");
    await pass(1);
    expect(await client.ping()).toBe("new");
    expect(network.dials.length).toBe(1);
    expect(client.take()).toEqual([]);
  });

  test("learns that the client has moved, and finishes its calls", async () => {
    server.responds = false;
    const old = server.peer;
    const flying = client.ping();
    await settle();
    network.serve(HOME, "new");
    old.notice();
    await settle();
    expect(old.goaways).toEqual([NOTICE]);
    expect(await client.ping()).toBe("new");
    old.goaway(old.lastStream);
    await pass(60_000);
    expect(old.closed).toBeUndefined();
    old.answer();
    expect(await flying).toBe("old");
    await pass(999);
    expect(old.closed).toBeUndefined(); // the close is the server's
    await pass(1);
    expect(old.closed).toBe(1000);
    expect(client.take()).toEqual([]);
  });

  test("keeps the old session as long as it sends only notices", async () => {
    network.serve(HOME, "new");
    server.peer.notice();
    await pass(600_000);
    expect(server.peer.closed).toBeUndefined();
    expect(network.dials.length).toBe(1);
  });

  test("and whose link a proxy closes with 1001 is resumed for its calls", async () => {
    server.responds = false;
    const flying = client.ping();
    await settle();
    const next = network.serve(HOME, "new");
    server.peer.notice();
    await settle();
    network.answer(HOME, server);
    server.peer.close(1001);
    await pass(1000);
    server.peer.calls.push({ id: 1, text: "on" });
    server.peer.answer();
    expect(await flying).toBe("on");
    expect(next.peers.length).toBe(1);
    expect(client.take()).toEqual([]);
  });

  test("and does not know a session without calls costs one link", async () => {
    server.responds = false;
    const flying = client.ping();
    await settle();
    const next = network.serve(HOME, "new");
    server.peer.notice();
    await settle();
    server.peer.close();
    expect(await flying).toBe("unavailable: session lost: the peer does not know it");
    await pass(60_000);
    expect(next.peers.map((p) => p.closed)).toEqual([undefined, 1000]);
    expect(client.take()).toEqual([]);
  });

  test("and does not know a session finishes its own calls on that link", async () => {
    let answer = () => {};
    const ping = () => new Promise<object>((resolve) => (answer = () => resolve({})));
    client.conn.serve(PingService, { ping });
    server.responds = false;
    const flying = client.ping();
    await settle();
    const next = network.serve(HOME, "new");
    server.peer.notice();
    await settle();
    next.onHello = (peer) => peer.ping(2);
    server.peer.close();
    expect(await flying).toBe("unavailable: session lost: the peer does not know it");
    const heir = next.peer;
    await pass(5000);
    expect([heir.goaways, heir.closed]).toEqual([[NOTICE], undefined]);
    answer();
    await pass(1000);
    expect(heir.frames).toContain("DATA 2");
    expect(heir.closed).toBe(1000);
    expect(client.take()).toEqual([]);
  });

  test("without a successor serves on, and nothing fails", async () => {
    network.answer(HOME, undefined);
    server.peer.notice();
    for (let i = 0; i < 20; i++) {
      await pass(1000);
      expect(await client.ping()).toBe("old");
    }
    network.serve(HOME, "new");
    await pass(10_000);
    expect(await client.ping()).toBe("new");
    expect(client.take()).toEqual([]);
  });

  test("and loses its link serves on over the next link", async () => {
    server.responds = false;
    const flying = client.ping();
    await settle();
    server.peer.notice(10_000);
    await settle();
    server.peer.close();
    await settle();
    server.responds = true;
    server.peer.calls.push({ id: 1, text: "" });
    server.peer.answer();
    expect(await flying).toBe("old");
    expect(client.take()).toEqual(["resuming", "ready"]);
    expect(network.take()).toEqual([HOME]);
    const next = network.serve(HOME, "new");
    await pass(10_000);
    expect(next.peers.length).toBe(1); // the notice holds on the next link
  });
});

describe("a server that goes away without notice", () => {
  test("makes calls wait for the successor, which is dialed at once", async () => {
    server.responds = false;
    const flying = client.ping();
    await settle();
    const old = server.peer;
    network.dialMs = 500;
    network.serve(HOME, "new");
    old.goaway(old.lastStream, { delay: 30_000 });
    await settle();
    expect(client.take()).toEqual(["connecting"]);
    await pass(1000);
    expect(network.take()).toEqual([]);
    const calls = [client.ping(), client.ping("", true)];
    await pass(500);
    expect(await Promise.all(calls)).toEqual(["new", "new"]);
    expect(client.take()).toEqual(["ready"]);
    old.answer();
    expect(await flying).toBe("old");
    await pass(1000);
    expect(old.closed).toBe(1000);
  });

  test("lets an idle client reconnect after the delay", async () => {
    network.serve(HOME, "new");
    server.peer.goaway(0, { delay: 2000 });
    await pass(1999);
    expect(network.take()).toEqual([]);
    expect(client.conn.state).toBe("connecting");
    await pass(1);
    expect(network.take()).toEqual([HOME]);
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("moves unprocessed and pending calls to the successor", async () => {
    server.responds = false;
    const old = server.peer;
    const calls = Array.from({ length: 20 }, () => client.ping());
    await settle();
    expect(old.calls.length).toBe(16); // as many as it allows
    network.serve(HOME, "new");
    old.goaway(old.calls[9]?.id as number);
    old.calls.splice(10);
    await settle();
    old.answer();
    expect((await Promise.all(calls)).sort()).toEqual([...Array(10).fill("new"), ...Array(10).fill("old")]);
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("and without a successor fails only fail-fast calls", async () => {
    network.answer(HOME, undefined);
    server.peer.goaway(0);
    await settle();
    const patient = client.ping("", true);
    expect(await client.ping()).toBe("unavailable: could not connect: connection refused");
    expect(client.take()).toEqual(["connecting", "failed"]);
    network.serve(HOME, "new");
    await pass(10_000);
    expect(await patient).toBe("new");
  });
});

test("the address of a GOAWAY is dialed if it has the same origin", async () => {
  for (const [address, dialed] of [
    ["ws://home.example/other", "ws://home.example/other"],
    ["wss://home.example/rpc", HOME],
    ["ws://evil.example/rpc", HOME],
    ["ws://home.example:81/rpc", HOME],
    ["ws://me@home.example/secret", HOME],
    ["%", HOME],
  ] as const) {
    const one = network.serve(HOME);
    const next = network.serve(dialed, dialed);
    const c = new Client(network, HOME);
    network.answer(HOME, one);
    await c.conn.connect();
    network.answer(HOME, next);
    network.take();
    one.peer.notice(0, address);
    await settle();
    expect(network.take()).toEqual([dialed]);
    await c.conn.close();
  }
});

test("a successor that drains at once is replaced, and no call fails", async () => {
  let left = 3;
  for (const next of [network.serve(HOME, "new")]) {
    next.onHello = (peer) => {
      if (left-- > 0) peer.notice();
    };
  }
  server.peer.notice();
  await pass(60_000);
  expect(await client.ping()).toBe("new");
  expect(left).toBe(-1);
  expect(client.take()).toEqual([]);
});

test("streams of the server on a retired session are served until it closes", async () => {
  network.serve(HOME, "new");
  const old = server.peer;
  old.notice();
  await settle();
  old.frames = [];
  old.send(0x12, 2, Uint8Array.of(1, 3, 0x61, 0x2f, 0x62)); // OPEN with END of "a/b"
  await settle();
  expect(old.frames).toEqual(["END 2", "ACK"]);
});

test("a successor that takes no calls is not moved to", async () => {
  for (const end of ["final", "turned away"]) {
    const old = network.serve(HOME, "old");
    const c = new Client(network, HOME);
    await c.conn.connect();
    const next = network.serve(HOME, "next");
    let refusals = 2;
    next.onHello = (peer) => {
      if (refusals-- <= 0) return;
      if (end === "turned away") peer.goaway(0, { status: 14 });
      else peer.goaway(0);
      if (end === "turned away") peer.close(1012);
    };
    old.peer.notice();
    for (let i = 0; i < 10; i++) {
      expect(await c.ping()).toMatch(/^(old|next)$/);
      await pass(20);
    }
    await pass(5000);
    expect(await c.ping()).toBe("next");
    expect(next.peers.length).toBe(3);
    expect(c.take()).toEqual(["connecting", "ready"]);
    await c.conn.close();
  }
});
