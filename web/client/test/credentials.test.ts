import { Code, ParleyError } from "@parley-rpc/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Client, checkErrors, Network, pass, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
let asked: number;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "home");
  asked = 0;
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

/** A client whose credentials are what f returns or throws the nth time. */
function open(f: (n: number) => unknown): Client {
  client = new Client(network, HOME, { credentials: async () => (await f(++asked)) as string });
  return client;
}

/** Whatever an application may throw without having decided on anything. */
const problems: [string, unknown][] = [
  ["a TypeError", new TypeError("fetch failed")],
  ["a TimeoutError", new DOMException("The operation was aborted due to timeout", "TimeoutError")],
  ["an AbortError", new DOMException("This operation was aborted", "AbortError")],
  ["a text", "signed out"],
  ["undefined", undefined],
  ["null", null],
  ["a number", 42],
  ["an object", { code: 7, message: undefined }],
  ["an error without a text", new Error()],
  ["an aggregate", new AggregateError([new Error("x")])],
];

describe("credentials that fail", () => {
  for (const [name, problem] of problems) {
    test(`once with ${name} while a link is replaced cost no call`, async () => {
      open((n) => (n === 2 ? Promise.reject(problem) : "secret"));
      server.responds = false;
      const flying = client.ping();
      await settle();
      server.peer.close();
      await pass(200);
      expect(asked).toBe(3);
      server.responds = true;
      server.peer.calls.push({ id: 1, text: "on" });
      server.peer.answer();
      expect(await flying).toBe("on");
      expect(client.take()).toEqual(["connecting", "ready", "resuming", "ready"]);
    });

    test(`with ${name} make an attempt fail, and the next is made by itself`, async () => {
      open((n) => (n < 4 ? Promise.reject(problem) : "secret"));
      const patient = client.ping("", true);
      expect(await client.ping()).toMatch(/^unavailable: no credentials: ./);
      expect(client.conn.error?.cause).toBe(problem);
      expect(network.take()).toEqual([]);
      await pass(1000);
      expect(await patient).toBe("home");
      expect(asked).toBe(4);
    });
  }

  test("with a ParleyError are a verdict", async () => {
    open(() => Promise.reject(new ParleyError("log in first", Code.PermissionDenied)));
    expect(await client.ping("", true)).toBe("permission_denied: log in first");
    expect(client.conn.state).toBe("failed");
    await pass(3_600_000);
    expect([asked, network.take()]).toEqual([1, []]);
    expect(await client.ping()).toBe("permission_denied: log in first");
    expect(asked).toBe(2); // a call asks again
  });

  test("with a ParleyError while a link is replaced end the session with that", async () => {
    open((n) => (n === 2 ? Promise.reject(new ParleyError("the account is closed", Code.PermissionDenied)) : "secret"));
    server.responds = false;
    const flying = client.ping();
    await settle();
    server.peer.close();
    expect(await flying).toBe("permission_denied: the account is closed");
  });

  test("with UNAVAILABLE may be had later", async () => {
    open((n) => (n === 1 ? Promise.reject(new ParleyError("try later", Code.Unavailable)) : "secret"));
    expect(await client.ping()).toBe("unavailable: try later");
    await pass(1000);
    expect(await client.ping()).toBe("home");
  });

  test("by a throw before the first await are as others", async () => {
    client = new Client(network, HOME, {
      credentials: () => {
        if (++asked === 1) throw new RangeError("not yet");
        return "secret";
      },
    });
    expect(await client.ping()).toBe("unavailable: no credentials: not yet");
    await pass(1000);
    expect(await client.ping()).toBe("home");
  });

  test("by never coming are given up when the attempt's time is over", async () => {
    open((n) => (n === 1 ? new Promise(() => {}) : "secret"));
    const call = client.ping();
    await pass(10_000);
    expect(await call).toBe("unavailable: no connection within 10000 ms");
    await pass(1000);
    expect(await client.ping()).toBe("home");
  });
});

test("each link has fresh credentials, also to resume", async () => {
  open((n) => `token-${n}`);
  await client.conn.connect();
  for (let i = 0; i < 4; i++) {
    server.peer.close();
    await pass(20_000);
  }
  const tokens = network.dials.map((d) => atob(d.protocols[1]?.replace("parley.bearer.", "") ?? ""));
  expect(tokens).toEqual([1, 2, 3, 4, 5].map((n) => `token-${n}`));
  expect(server.sessions.size).toBe(1);
});

for (const [how, refuse] of [
  ["by HTTP 401", () => network.answer(HOME, { status: 401 })],
  ["by a close code", () => void (server.handleHello = (peer) => peer.close(4016, "expired"))],
] as const) {
  test(`a resumption that is refused ${how} as UNAUTHENTICATED is tried once more, with credentials that are asked for again`, async () => {
    for (const good of [true, false]) {
      asked = 0;
      server = network.serve(HOME, "home");
      server.responds = false;
      open((n) => {
        if (n === 3 && good) {
          network.answer(HOME, server);
          server.handleHello = undefined;
        }
        return `token-${n}`;
      });
      const flying = client.ping();
      await settle();
      refuse();
      server.peers[0]?.close();
      await pass(5000);
      expect(asked).toBe(3);
      if (good) {
        server.peer.calls.push({ id: 1, text: "on" });
        server.peer.answer();
        expect(await flying).toBe("on");
        await client.conn.close();
      } else expect(await flying).toMatch(/^unauthenticated: /);
    }
  });
}

test("a first link that is refused as UNAUTHENTICATED is not tried again by itself", async () => {
  server.handleHello = (peer) => peer.close(4016, "who are you");
  open(() => "wrong");
  expect(await client.ping("", true)).toBe("unauthenticated: closed by the peer with code 4016: who are you");
  await pass(3_600_000);
  expect(asked).toBe(1);
});
