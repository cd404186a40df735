import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Load } from "../src/load.js";
import { Server } from "../src/server.js";
import { named, type Target, targets } from "../src/target.js";
import { type Workload, workloads } from "../src/workload.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start(join(import.meta.dirname, "../../.."));
}, 300_000); // it may have to be built
afterAll(() => server.stop());

const begin = (target: Target, workload: Workload) => new Load(target, workload, server.hello.Plain, WebSocket);

const pairs = targets.flatMap((target) => {
  return workloads.filter((w) => target.only?.includes(w.name) ?? true).map((workload) => ({ target, workload }));
});
const able = ({ target, workload }: (typeof pairs)[0]) => target.sends || !workload.sends;

// What arrives is checked by the load itself.
test.for(pairs.filter(able))("$target.name does $workload.name", async ({ target, workload }) => {
  const load = begin(target, workload);
  await load.times(5);
  await load.stop();
  expect(load.count).toBeGreaterThanOrEqual(5);
});

test.for(pairs.filter((p) => !able(p)))("$target.name cannot do $workload.name, and says so", async ({ target, workload }) => {
  const load = begin(target, workload);
  await expect(load.times(1)).rejects.toThrow("The fetch API does not support streaming request bodies");
  await expect(load.stop()).rejects.toThrow();
});

test("a workload that fails fails the measurement", async () => {
  const load = begin(targets[0]!, {
    name: "short",
    title: "",
    size: 3,
    unit: "calls/s",
    run: async (client, meter) => meter.took((await client.echo({ payload: new Uint8Array(2) })).payload, 3),
  });
  await expect(load.rate(60_000)).rejects.toThrow("2 bytes in place of 3");
  await expect(load.stop()).rejects.toThrow("2 bytes in place of 3");
});

test("a workload that ends by itself fails the measurement", async () => {
  const load = begin(targets[0]!, { name: "brief", title: "", size: 0, unit: "calls/s", run: async () => {} });
  await expect(load.rate(60_000)).rejects.toThrow("ended by itself");
  await load.stop();
});

test("a name that there is not is told with those that there are", () => {
  expect(() => named(targets, "unknown")).toThrow(
    "nothing is named unknown: there are parley, parley-gzip, parley-connect, connect-web, grpc-web, bare-websocket, bare-fetch",
  );
});
