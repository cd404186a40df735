import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import * as f from "../src/frame.js";
import { Client, checkErrors, Network, NOTICE, pass, settle } from "./network.js";

const [A, B, C] = ["ws://a.example/rpc", "ws://b.example/rpc", "ws://c.example/rpc"] as const;

let network: Network;
let clients: Client[];
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  clients = [];
});
afterEach(async () => {
  for (const c of clients) await c.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

function open(urls: string[], balancer?: "pickFirst" | "roundRobin"): Client {
  const client = new Client(network, urls, { balancer });
  clients.push(client);
  return client;
}

/** Which servers answer so many calls. */
async function who(client: Client, calls: number, waitForReady = false): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (let i = 0; i < calls; i++) {
    const text = await client.ping("", waitForReady);
    answers[text] = (answers[text] ?? 0) + 1;
  }
  return answers;
}

describe("pickFirst", () => {
  test("makes all calls at the first server that answers", async () => {
    network.serve(B, "b");
    network.serve(C, "c");
    const client = open([A, B, C]);
    expect(await who(client, 10)).toEqual({ b: 10 });
    expect(network.take()).toEqual([A, B]);
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("fails a call fast with the last error when no server answers", async () => {
    network.answer(A, { status: 502 });
    const client = open([A, B]);
    expect(await client.ping()).toMatch(/^unavailable: could not connect/);
    expect(network.take()).toEqual([A, B]);
  });

  test("reports a rejection only if no other server may answer", async () => {
    network.answer(A, { status: 404 });
    const client = open([A, B]);
    expect(await client.ping()).toMatch(/^unavailable/);
    const verdict = open([A]);
    expect(await verdict.ping()).toMatch(/^unimplemented/);
  });

  test("moves to the next server, never back to a draining one", async () => {
    const a = network.serve(A, "a");
    network.serve(B, "b");
    const client = open([A, B]);
    expect(await client.ping()).toBe("a");
    network.take();
    a.peer.notice();
    await settle();
    expect(network.take()).toEqual([B]);
    expect(await client.ping()).toBe("b");
    expect(a.peer.goaways).toEqual([NOTICE]);
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("keeps a draining server while the only other one is down", async () => {
    const a = network.serve(A, "a");
    const client = open([A, B]);
    await client.ping();
    network.take();
    a.peer.notice();
    await pass(5000);
    expect(new Set(network.take())).toEqual(new Set([B]));
    expect(await client.ping()).toBe("a");
    network.serve(B, "b");
    await pass(10_000);
    expect(await client.ping()).toBe("b");
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("makes new calls elsewhere at once when resumption is refused", async () => {
    const a = network.serve(A, "a");
    a.responds = false;
    network.serve(B, "b");
    const client = open([A, B]);
    const flying = client.ping();
    await settle();
    network.answer(A, undefined);
    a.peer.close();
    const calls = [client.ping(), client.ping("", true)];
    await settle();
    expect(await Promise.all(calls)).toEqual(["b", "b"]);
    expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
    // The old session goes on trying, and its calls go on when it is back.
    await pass(5000);
    network.answer(A, a);
    await pass(10_000);
    expect(a.peers.length).toBe(2);
    a.peer.calls.push({ id: 1, text: "late" });
    a.peer.answer();
    expect(await flying).toBe("late");
    expect(await client.ping()).toBe("b");
    await pass(1000);
    expect(a.peer.goaways).toEqual([NOTICE, 0]); // that server stays: this end leaves
    expect(a.peer.closed).toBe(1000);
    expect(client.take()).toEqual([]);
  });

  test("ends the old session after its window, unseen by users of the new one", async () => {
    const a = network.serve(A, "a");
    a.responds = false;
    network.serve(B, "b");
    const client = open([A, B]);
    const flying = client.ping();
    await settle();
    network.answer(A, undefined);
    a.peer.close();
    await pass(29_999);
    expect(await client.ping()).toBe("b");
    await pass(1);
    expect(await flying).toMatch(/^unavailable: session lost: not resumed in time/);
    network.take();
    await pass(60_000);
    expect(network.take()).toEqual([]);
    expect(client.conn.state).toBe("ready");
  });

  test("stays with its server if that resumes first", async () => {
    const a = network.serve(A, "a");
    const client = open([A, B]);
    await client.ping();
    network.answer(A, undefined);
    a.peer.close();
    await settle();
    network.answer(A, a);
    await pass(10_000);
    expect(await client.ping()).toBe("a");
    expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
    network.take();
    network.serve(B, "b");
    await pass(60_000);
    expect(network.take()).toEqual([]);
  });

  test("finishes calls of a server whose session it does not need", async () => {
    const a = network.serve(A, "a");
    const b = network.serve(B, "b");
    b.onHello = (peer) => {
      peer.ping(2);
      const send = peer.send.bind(peer);
      peer.send = (head, id, payload) => head !== f.PONG && send(head, id, payload); // it is slow
    };
    const client = open([A, B]);
    let answer = () => {};
    const ping = () => new Promise<object>((resolve) => (answer = () => resolve({})));
    client.conn.serve(PingService, { ping });
    await client.ping();
    network.answer(A, undefined);
    a.peer.close();
    await settle();
    network.answer(A, a);
    await pass(2000);
    expect(await client.ping()).toBe("a");
    expect(b.peer.closed).toBeUndefined();
    answer();
    await pass(1000);
    expect(b.peer.frames).toContain("DATA 2");
    expect(b.peer.closed).toBe(1000);
  });

  test("starts with the first server again after a session", async () => {
    const b = network.serve(B, "b");
    const client = open([A, B]);
    expect(await client.ping()).toBe("b");
    network.serve(A, "a");
    b.peer.close(1011);
    await pass(1000);
    expect(await client.ping()).toBe("a");
  });
});

describe("roundRobin", () => {
  test("takes turns over all servers, late ones included", async () => {
    const a = network.serve(A, "a");
    network.serve(B, "b");
    const client = open([A, B, C], "roundRobin");
    await client.ping();
    await pass(1000);
    expect(await who(client, 30)).toEqual({ a: expect.any(Number), b: expect.any(Number) });
    network.answer(A, undefined);
    a.peer.close(1011);
    await settle();
    expect(await who(client, 10)).toEqual({ b: 10 });
    network.serve(C, "c");
    await pass(60_000);
    const got = await who(client, 30);
    expect(Object.keys(got).sort()).toEqual(["b", "c"]);
    for (const n of Object.values(got)) expect(n).toBeGreaterThanOrEqual(10);
    expect(client.conn.state).toBe("ready");
  });

  test("fails fast only if no server answers", async () => {
    const client = open([A, B], "roundRobin");
    expect(await client.ping()).toMatch(/^unavailable: could not connect/);
    const patient = client.ping("", true);
    await pass(60_000);
    network.serve(B, "b");
    await pass(20_000);
    expect(await patient).toBe("b");
    expect(await open([A, B], "roundRobin").ping()).toBe("b");
    expect(await open([B, A], "roundRobin").ping()).toBe("b");
  });

  test("leaves a draining server, and dials it again when it has ended", async () => {
    const a = network.serve(A, "a");
    network.serve(B, "b");
    const client = open([A, B], "roundRobin");
    await client.conn.connect();
    await settle();
    a.responds = false;
    const flying = Promise.all([client.ping(), client.ping()]);
    await settle();
    client.take();
    network.take();
    a.peer.notice();
    await settle();
    expect(await who(client, 10)).toEqual({ b: 10 });
    await pass(60_000);
    expect(network.take()).toEqual([]);
    a.peer.answer();
    expect((await flying).sort()).toEqual(["a", "b"]);
    const old = a.peer;
    network.serve(A, "a2");
    old.goaway(old.lastStream);
    await settle();
    old.goaway(old.lastStream, { status: 14 });
    old.close(1001);
    await pass(1000);
    expect(network.take()).toEqual([A]);
    expect(Object.keys(await who(client, 10)).sort()).toEqual(["a2", "b"]);
    expect(client.take()).toEqual([]);
  });

  test("uses a draining server while there is no other", async () => {
    const a = network.serve(A, "a");
    const client = open([A, B], "roundRobin");
    await client.conn.connect();
    await settle();
    client.take();
    a.peer.notice();
    await settle();
    expect(await who(client, 5)).toEqual({ a: 5 });
    network.serve(B, "b");
    await pass(10_000);
    expect(await who(client, 5)).toEqual({ b: 5 });
    expect(a.peer.goaways).toEqual([NOTICE]);
    expect(client.take()).toEqual([]);
  });

  test("fails no call while all servers are replaced one after another", async () => {
    const urls = [A, B, C];
    let servers = urls.map((url) => network.serve(url, "old"));
    const client = open(urls, "roundRobin");
    await client.conn.connect();
    await settle();
    client.take();
    for (const [i, url] of urls.entries()) {
      const old = servers[i]?.peer;
      old?.notice();
      await settle();
      old?.goaway(old.lastStream);
      await settle();
      network.answer(url, undefined);
      old?.close(1001);
      for (let n = 0; n < 10; n++) {
        await pass(50);
        expect(await client.ping()).toMatch(/^(old|new)$/);
      }
      servers = servers.with(i, network.serve(url, "new"));
      await pass(5000);
    }
    expect(await who(client, 9)).toEqual({ new: 9 });
    expect(client.take()).toEqual([]);
  });

  test("avoids a server with a lost link while there is another", async () => {
    const a = network.serve(A, "a");
    network.serve(B, "b");
    const client = open([A, B], "roundRobin");
    await client.conn.connect();
    await settle();
    network.answer(A, undefined);
    a.peer.close();
    await settle();
    expect(await who(client, 10)).toEqual({ b: 10 });
    expect(client.conn.state).toBe("ready");
  });

  test("moves calls that wait for one server to a faster one", async () => {
    network.dialMs = 5000;
    network.serve(A, "a");
    const client = open([A, B], "roundRobin");
    const calls = [client.ping(), client.ping()];
    await pass(5000);
    expect(await Promise.all(calls)).toEqual(["a", "a"]);
  });
});

test("a second URL is tried when the server of a lost link does not answer", async () => {
  const a = network.serve(A, "a");
  network.serve(B, "b");
  const client = open([A, B]);
  await client.ping();
  network.dialMs = 60_000; // a host that is gone: packets are dropped
  a.peer.close();
  await settle();
  network.dialMs = 0;
  const call = client.ping();
  await pass(999);
  expect(client.conn.state).toBe("resuming");
  await pass(1);
  expect(await call).toBe("b");
  expect(network.take()).toEqual([A, A, B]);
  await pass(60_000);
});
