import { type Connection, createClient, createConnection } from "@parley-rpc/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";
import { Tunnel } from "../../testing/tunnel.js";
import { until } from "../../testing/until.js";

// The events of a page, without a page. tests in a real browser have the rest.
const page = new EventTarget();
const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
const happens = (type: string, more: object = {}) => page.dispatchEvent(Object.assign(new Event(type), more));

let server: Server;
let tunnel: Tunnel;
let conn: Connection;
beforeEach(async () => {
  vi.stubGlobal("document", document);
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  server = await Server.start();
  tunnel = await Tunnel.start(server.port);
  conn = createConnection(tunnel.url(), { WebSocket, jitter: () => 60_000 });
});
afterEach(async () => {
  await conn.close();
  await tunnel.stop();
  await server.stop();
  vi.unstubAllGlobals();
});

const ping = () => createClient(PingService, conn);

test("a suspended page has no WebSocket, and its calls go on later", async () => {
  await conn.connect();
  const call = ping().ping({ text: "hi", delayMs: 100 });
  await ping().ping({});
  happens("pagehide", { persisted: true });
  expect(conn.state).toBe("resuming");
  await until("the WebSocket is closed", () => tunnel.open === 0);
  expect(await server.open()).toBe(1);
  const meanwhile = ping().ping({ text: "meanwhile" });
  expect(tunnel.connections).toBe(1);
  happens("pageshow", { persisted: true });
  expect((await call).text).toBe("hi");
  expect((await meanwhile).text).toBe("meanwhile");
  expect(tunnel.connections).toBe(2);
});

test("an unloaded page sends GOAWAY and does not connect again", async () => {
  await conn.connect();
  const flying = ping().ping({ delayMs: 60_000 });
  await ping().ping({});
  happens("pagehide", { persisted: false });
  expect(conn.state).toBe("closed");
  await expect(flying).rejects.toThrow("canceled: page unloaded");
  await expect(ping().ping({})).rejects.toThrow("canceled: page unloaded");
  await until("the server has no session of it", async () => (await server.open()) === 0);
  expect(tunnel.connections).toBe(1);
});

test("a page suspended before it connected connects later", async () => {
  happens("pagehide", { persisted: true });
  const call = ping().ping({ text: "hi" });
  expect(tunnel.connections).toBe(0);
  happens("pageshow", { persisted: true });
  expect((await call).text).toBe("hi");
});

for (const [event, dispatch] of [
  ["the network is back", () => happens("online")],
  ["somebody looks at the page", () => document.dispatchEvent(new Event("visibilitychange"))],
] as const) {
  test(`when ${event} a client does not wait for its next attempt`, async () => {
    tunnel.refusing = true;
    await expect(ping().ping({})).rejects.toThrow("unavailable");
    expect(conn.state).toBe("failed");
    tunnel.refusing = false;
    dispatch();
    expect(conn.state).toBe("connecting");
    expect((await ping().ping({ text: "hi" })).text).toBe("hi");
  });

  test(`when ${event} a link that is alive stays`, async () => {
    await conn.connect();
    dispatch();
    expect((await ping().ping({ text: "hi" })).text).toBe("hi");
    expect(tunnel.connections).toBe(1);
  });
}

test("a closed connection does not listen to the page", async () => {
  await conn.close();
  happens("pageshow", { persisted: true });
  happens("online");
  expect(tunnel.connections).toBe(0);
});
