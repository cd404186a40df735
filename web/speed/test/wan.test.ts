import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Server } from "../src/server.js";
import { measure, quantile } from "../src/wan/measure.js";
import type { Order } from "../src/wan/order.js";
import { type Far, far } from "../src/wan/transfer.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start(join(import.meta.dirname, "../../.."));
}, 300_000); // it may have to be built
afterAll(() => server.stop());

const order = (target: string): Order => ({
  runtime: "node",
  target,
  url: server.hello.Plain,
  near: server.hello.Plain,
  roundTripMs: 0,
  warmupMs: 50,
  measureMs: 100,
  markLimitMs: 10_000,
  workloads: [],
});

const never = async () => Number.NaN;

test.for(["parley", "connect-web"])("%s makes a first call", async (target) => {
  const figures = await measure(order(target), "first", far(server.hello.Plain, WebSocket), never);
  expect(figures["first call ms"]).toBeGreaterThan(0);
});

test.for(["parley", "connect-web"])("%s downloads, with small calls beside it", async (target) => {
  const figures = await measure(order(target), "download", far(server.hello.Plain, WebSocket), never);
  expect(Object.keys(figures)).toEqual(["first MiB ms", "first 16 MiB ms", "MB/s", "small call p50 ms", "small call p99 ms"]);
  for (const [name, value] of Object.entries(figures)) expect(value, name).toBeGreaterThan(0);
  expect(figures["first 16 MiB ms"]).toBeGreaterThan(figures["first MiB ms"]!);
});

test.for(["parley", "connect-web"])("%s is prepared for what counts", async (target) => {
  await far("http://127.0.0.1:1", WebSocket).prepare(target, server.hello.Plain);
});

test("the rate of an upload is what the server has received", async () => {
  let asked = 0;
  const received = async () => [1_000_000, 3_000_000][asked++]!;
  const figures = await measure(order("parley"), "upload", far(server.hello.Plain, WebSocket), received);
  expect(asked).toBe(2);
  expect(figures["MB/s"]).toBeGreaterThan(2);
  expect(figures["MB/s"]).toBeLessThan(20.5); // in 100 ms or more
});

test("marks that were not reached have no figure", async () => {
  const slow = {
    start: async () => {},
    warm: async () => ({ mib: 5 }),
    measure: async () => ({ rate: 1, calls: [3, 1, 2] }),
    stop: async () => {},
  } as unknown as Far;
  expect(await measure(order("parley"), "download", slow, never)).toEqual({
    "first MiB ms": 5,
    "MB/s": 1,
    "small call p50 ms": 2,
    "small call p99 ms": 3,
  });
});

test("a transfer that fails fails the measurement", async () => {
  const unserved = far("http://127.0.0.1:1", WebSocket);
  await expect(measure(order("connect-web"), "download", unserved, never)).rejects.toThrow();
});

test("nothing is measured before a start", async () => {
  expect(() => far(server.hello.Plain, WebSocket).stop()).toThrow("no transfer was started");
});

test("a quantile is one of the values", () => {
  expect(quantile([5, 1, 3], 0.5)).toBe(3);
  expect(quantile([5, 1, 3], 0.99)).toBe(5);
  expect(quantile([], 0.5)).toBe(0);
});
