import { Code } from "@parley-rpc/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hex } from "../../testing/vectors.js";
import { Client, checkErrors, Network, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";
const OTHER = "ws://other.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
beforeEach(async () => {
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

/** A call that is in flight when something happens, and is answered afterwards. */
async function survives(what: () => void): Promise<boolean> {
  server.responds = false;
  const flying = client.ping();
  await settle();
  what();
  await pass(1000);
  server.peer.calls.push({ id: 1, text: "on" });
  server.peer.answer();
  return (await flying) === "on";
}

test("only a link for a new session says so", async () => {
  expect(await survives(() => server.peer.close())).toBe(true);
  expect(network.dials.map((d) => d.protocols)).toEqual([["parley.v1", "parley.new"], ["parley.v1"]]);
});

describe("a link is lost and its session is resumed when", () => {
  for (const code of [1001, 1012, 4101, 4112]) {
    test(`it is closed with ${code} without GOAWAY`, async () => {
      expect(await survives(() => server.peer.close(code))).toBe(true);
      expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
    });

    test(`it is closed with ${code} by a proxy while it is replaced`, async () => {
      const before = server.peers.length;
      server.handleHello = (peer) => {
        if (server.peers.length === before + 2) peer.close(code);
        else peer.sendHello();
      };
      expect(await survives(() => server.peer.close())).toBe(true);
      expect(server.peers.length).toBe(before + 3);
    });
  }

  test("an invalid WebSocket frame arrives, whatever code follows", async () => {
    expect(await survives(() => server.peer.garble())).toBe(true);
  });

  test("it ends with an event that has neither code nor reason", async () => {
    expect(await survives(() => server.peer.close(undefined, undefined))).toBe(true);
  });
});

describe("a session is over when its link is closed", () => {
  for (const code of [1001, 1012]) {
    test(`with ${code} after a GOAWAY with a status`, async () => {
      server.responds = false;
      const flying = client.ping();
      await settle();
      server.peer.goaway(1, { delay: 60_000, status: Code.Unavailable });
      await settle();
      server.peer.close(code);
      await settle();
      expect(await flying).toBe("unavailable: the peer sent GOAWAY: deploy");
      expect(client.conn.state).toBe("failed");
    });
  }

  test("with 1002 by the peer", async () => {
    expect(await survives(() => server.peer.close(1002))).toBe(false);
  });
});

describe("a session that is lost", () => {
  test("costs one handshake: the same link carries the next session", async () => {
    await client.conn.connect();
    network.take();
    const other = network.serve(HOME, "other");
    server.peer.close();
    await pass(1000);
    expect(await client.ping()).toBe("other");
    expect(network.take()).toEqual([HOME]);
    expect(other.peers.length).toBe(1);
    expect(other.peer.hello.get(7)).toBeUndefined(); // that it has asked to resume says which it replaces
  });

  test("forgets its GOAWAY: the next session stays", async () => {
    await client.conn.connect();
    server.peer.notice(60_000);
    await settle();
    server.peer.close();
    const other = network.serve(HOME, "other");
    await pass(120_000);
    expect(await client.ping()).toBe("other");
    expect(other.peers.length).toBe(1);
  });

  test("is named by its replacement until that is ready", async () => {
    await client.conn.connect();
    const { id } = server.peer;
    network.answer(HOME, undefined);
    server.peer.close();
    await pass(31_000);
    expect(client.conn.state).toBe("failed");
    const other = network.serve(HOME, "other");
    other.sendsHello = false;
    await pass(15_000);
    other.sendsHello = true;
    await pass(60_000);
    expect(client.conn.state).toBe("ready");
    for (const peer of other.peers) {
      expect(`${peer.hello.get(7)}`).toBe(id);
      expect((peer.hello.get(9) as Uint8Array).length).toBe(32);
      expect(peer.hello.get(1)).toBeUndefined();
    }
    expect(other.peers.length).toBeGreaterThan(1);
    other.peer.close(1011);
    await pass(10_000);
    expect([...other.peer.hello.keys()]).not.toContain(7);
    expect(client.conn.state).toBe("ready");
  });

  test("is not named while it may still be resumed", async () => {
    await client.conn.close();
    client = new Client(network, [HOME, OTHER]);
    await client.conn.connect();
    const other = network.serve(OTHER, "other");
    network.answer(HOME, undefined);
    server.peer.close();
    await settle();
    expect(await client.ping()).toBe("other");
    expect(other.peer.hello.get(7)).toBeUndefined();
  });
});

describe("a client that is refused", () => {
  const ways: [string, (s: TestServer) => void][] = [
    ["by 4014", (s) => void (s.handleHello = (peer) => peer.close(4014, "overloaded"))],
    ["by 1012 before HELLO", (s) => void (s.handleHello = (peer) => peer.close(1012))],
    ["by 1013 before HELLO", (s) => void (s.handleHello = (peer) => peer.close(1013))],
    [
      "by GOAWAY with UNAVAILABLE",
      (s) => {
        s.onHello = (peer) => {
          peer.goaway(0, { status: Code.Unavailable });
          peer.close(1012);
        };
      },
    ],
    ["by HTTP 503", () => network.answer(HOME, { status: 503 })],
    ["by HTTP 429", () => network.answer(HOME, { status: 429 })],
  ];
  for (const [how, turnAway] of ways) {
    test(`${how} retries a few times before a call fails`, async () => {
      server.responds = false; // it may not have been seen
      turnAway(server);
      const call = client.ping();
      await pass(5000);
      expect(await call).toMatch(/^unavailable: /);
      expect(network.dials.length).toBeGreaterThanOrEqual(5);
      expect(client.states.filter((s) => s === "failed").length).toBeGreaterThan(0);
      expect(client.states.slice(0, 1)).toEqual(["connecting"]);
    });

    test(`${how} makes its calls at the next server, and nothing fails`, async () => {
      turnAway(server);
      const calls = [client.ping(), client.ping("", true)];
      await settle();
      network.serve(HOME, "next");
      await pass(1000);
      const answers = await Promise.all(calls);
      // What was sent to a server that closes with another code than 4000 to 4099 may have been seen.
      if (/101[23]/.test(how)) expect(answers[0]).toMatch(/^(next|unavailable: closed)/);
      else expect(answers).toEqual(["next", "next"]);
      expect(client.states).not.toContain("failed");
    });

    test(`${how} makes its calls at another URL at once`, async () => {
      await client.conn.close();
      client = new Client(network, [HOME, OTHER]);
      turnAway(server);
      network.serve(OTHER, "other");
      if (/101[23]/.test(how)) await client.conn.connect();
      expect(await client.ping()).toBe("other");
      expect(Date.now()).toBe(network.dials[0]?.at);
      expect(client.states).not.toContain("failed");
    });
  }

  test("with Retry-After waits that long", async () => {
    network.answer(HOME, { status: 503, retryAfter: "2" });
    const call = client.ping();
    await pass(2499); // and a random quarter
    expect(network.take()).toEqual([HOME]);
    network.serve(HOME, "next");
    await pass(1);
    expect(await call).toBe("next");
    expect(client.take()).toEqual(["connecting", "ready"]);
  });

  test("for long fails its calls, and waits at most a minute", async () => {
    network.answer(HOME, { status: 503, retryAfter: "3600" });
    const patient = client.ping("", true);
    expect(await client.ping()).toBe("unavailable: the server refuses the handshake: HTTP status 503");
    network.serve(HOME, "next");
    network.take();
    await pass(60_999);
    expect(network.take()).toEqual([]);
    await pass(1);
    expect(await patient).toBe("next");
  });

  test("understands a date in Retry-After", async () => {
    vi.setSystemTime(new Date("2026-01-01T00:00:00Z"));
    network.answer(HOME, { status: 503, retryAfter: "Thu, 01 Jan 2026 00:00:02 GMT" });
    const call = client.ping();
    await settle();
    network.serve(HOME, "next");
    await pass(2499);
    expect(network.dials.length).toBe(1);
    await pass(1);
    expect(await call).toBe("next");
  });

  test("finds out by a GET where scripts cannot see the response", async () => {
    network.answer(HOME, undefined);
    let gets = 0;
    vi.stubGlobal("fetch", async (url: string) => {
      expect(url).toBe("http://home.example/rpc");
      gets++;
      return new Response(null, { status: 503, headers: { "retry-after": "2" } });
    });
    const call = client.ping();
    await settle();
    network.serve(HOME, "next");
    await pass(2499);
    expect([network.dials.length, gets]).toEqual([1, 1]);
    await pass(1);
    expect(await call).toBe("next");
  });

  test("uses an old session that still takes calls", async () => {
    await client.conn.connect();
    network.answer(HOME, { status: 503, retryAfter: "1" });
    server.peer.notice();
    for (let i = 0; i < 10; i++) {
      expect(await client.ping()).toBe("home");
      await pass(500);
    }
    network.serve(HOME, "next");
    await pass(10_000);
    expect(await client.ping()).toBe("next");
    expect(client.take()).toEqual(["connecting", "ready"]);
  });
});

describe("a page that unloads", () => {
  test("sends GOAWAY in the same turn", async () => {
    const page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
    await client.conn.close();
    client = new Client(network, HOME);
    await client.conn.connect();
    const sent: string[] = [];
    const { socket } = server.peer;
    socket.send = (bytes) => void sent.push(hex(bytes));
    socket.close = (code) => void sent.push(`close ${code}`);
    page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
    expect(sent).toEqual(["0b0000", "close 1000"]);
    expect(client.conn.state).toBe("closed");
    await pass(1000);
  });
});

test("close ends an attempt in progress", async () => {
  network.dialMs = 5000;
  const call = client.ping();
  await pass(1000);
  await client.conn.close();
  expect(await call).toBe("canceled: connection closed");
  await pass(10_000);
  expect(server.peers).toEqual([]);
});

test("Retry-After delays the next attempt to resume", async () => {
  await client.conn.connect();
  network.answer(HOME, { status: 503, retryAfter: "3" });
  server.peer.close();
  await pass(2999);
  expect(network.take()).toEqual([HOME, HOME]);
  network.answer(HOME, server);
  await pass(1);
  expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
});

test("a damaged handshake of a resumption is retried", async () => {
  await client.conn.connect();
  network.answer(HOME, { status: 400 });
  server.peer.close();
  await pass(500);
  network.answer(HOME, server);
  await pass(1000);
  expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
});

test("a permanent refusal to resume ends the session and its calls", async () => {
  server.responds = false;
  const flying = client.ping();
  await settle();
  network.answer(HOME, { status: 403 });
  server.peer.close();
  expect(await flying).toMatch(/^permission_denied/);
  expect(client.conn.state).toBe("failed");
});

test("no diagnosis says undefined, where there is no page", async () => {
  network.answer(HOME, undefined);
  for (const status of [200, 204, 301, 401, 403, 404, 426, 429, 500, 503]) {
    for (const versions of ["", "parley.v1", "parley.v2"]) {
      const headers: Record<string, string> = versions ? { "parley-versions": versions } : {};
      vi.stubGlobal("fetch", async () => new Response(null, { status, headers }));
      const c = new Client(network, HOME);
      const call = c.ping();
      await pass(5000);
      expect(await call).toMatch(/^[a-z_]+: ./); // checkErrors looks at the rest
      await c.conn.close();
    }
  }
});
