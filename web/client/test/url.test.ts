import { Code, createClient, createConnection, ParleyError } from "@parley-rpc/client";
import { afterEach, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Network } from "./network.js";

afterEach(() => vi.unstubAllGlobals());

test("a relative URL fails only when it is used", async () => {
  const conn = createConnection("/rpc");
  expect([conn.url, conn.state]).toEqual(["/rpc", "idle"]);
  await conn.close();
});

for (const urls of ["/rpc", "ftp://example.com", "", "http://", ["wss://good.example", "mailto:me@example.com"], []]) {
  test(`${JSON.stringify(urls)} is refused by the first use, where there is no page`, async () => {
    const conn = createConnection(urls, { WebSocket: new Network().WebSocket });
    const errors = await Promise.all([
      createClient(PingService, conn)
        .ping({})
        .catch((e: unknown) => e),
      createClient(PingService, conn)
        .ping({}, { waitForReady: true })
        .catch((e: unknown) => e),
      conn.connect().catch((e: unknown) => e),
    ]);
    for (const e of errors) {
      expect(e).toBeInstanceOf(ParleyError);
      expect(e).toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringMatching(/no URL|use ws, wss, http or https/),
      });
    }
    expect(conn.state).toBe("idle");
  });
}

test("a relative URL is resolved at its first use", async () => {
  const network = new Network();
  network.serve("wss://page.example/rpc");
  const conn = createConnection("/rpc", { WebSocket: network.WebSocket });
  vi.stubGlobal("location", { href: "https://page.example/deep/page.html#part" });
  await conn.connect();
  expect(network.dials.map((d) => d.url)).toEqual(["wss://page.example/rpc"]);
  await conn.close();
});

test("http and https stand for ws and wss", async () => {
  const network = new Network();
  for (const [url, dialed] of [
    ["http://a.example/rpc", "ws://a.example/rpc"],
    [new URL("https://a.example/rpc#x"), "wss://a.example/rpc"],
  ] as const) {
    network.serve(dialed);
    const conn = createConnection(url, { WebSocket: network.WebSocket });
    await conn.connect();
    expect(network.dials.at(-1)?.url).toBe(dialed);
    await conn.close();
  }
});
