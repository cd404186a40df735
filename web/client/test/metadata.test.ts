import { createClient, createConnection, Metadata, ParleyError } from "@parley-rpc/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());

test("Metadata keeps values of one name apart, and is a Headers otherwise", () => {
  const metadata = new Metadata([
    ["A", "1"],
    ["a", " 2, 3 "],
  ]);
  metadata.append("b", "4");
  expect(metadata.getAll("A")).toEqual(["1", "2, 3"]);
  expect(metadata.get("a")).toBe("1, 2, 3");
  expect([...metadata]).toEqual([
    ["a", "1"],
    ["a", "2, 3"],
    ["b", "4"],
  ]);
  metadata.set("A", "5");
  expect([metadata.getAll("a"), metadata.get("a")]).toEqual([["5"], "5"]);
  metadata.delete("B");
  expect([metadata.has("b"), metadata.getAll("b")]).toEqual([false, []]);
  expect(new Metadata(metadata).getAll("a")).toEqual(["5"]);
  expect(new Metadata({ c: "6" }).getAll("c")).toEqual(["6"]);
  expect(() => metadata.append("no name", "")).toThrow(TypeError);
  expect(() => metadata.set("a", "\n\u0000")).toThrow(TypeError);
  expect(metadata.getAll("a")).toEqual(["5"]); // as it was
});

test("values of one name arrive as several, through interceptors too", async () => {
  const conn = createConnection(server.url(), {
    WebSocket,
    callInterceptors: [
      (next) => (stream) => {
        stream.requestHeaders.append("echo-a", "3");
        return next(stream);
      },
    ],
  });
  const seen: string[][] = [];
  const headers = new Metadata([
    ["echo-a", "1"],
    ["echo-a", "2, 2"],
    ["echo-b-bin", "AAE"],
    ["echo-b-bin", "/w"],
  ]);
  await createClient(PingService, conn).ping(
    {},
    {
      headers,
      onHeader: (h) => seen.push(h.getAll("echo-a"), h.getAll("Echo-B-bin")),
      onTrailer: (h) => seen.push(h.getAll("trailer-echo-a")),
    },
  );
  await conn.close();
  const three = ["1", "2, 2", "3"];
  expect(seen).toEqual([three, ["AAE", "/w"], three]);
});

test.each<[string, HeadersInit]>([
  ["is reserved", { "parley-x": "" }],
  ["is reserved", [["a name", ""]]],
  ["is not printable ASCII", [["a", "\u00e9"]]],
  ["is not base64", { "a-bin": "!" }],
])("headers of which one %s fail the call", async (why, headers) => {
  const conn = createConnection(server.url(), { WebSocket });
  const call = createClient(PingService, conn).ping({}, { headers });
  const error = await call.then(() => undefined, ParleyError.from);
  await conn.close();
  expect(error?.message).toMatch(/^invalid_argument: headers: /);
  expect(error?.message).toContain(why);
});
