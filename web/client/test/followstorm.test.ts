import type { DescMethodServerStreaming } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CountUpResponseSchema, PingRequestSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { encodeFields, type Field } from "../src/fields.js";
import * as f from "../src/frame.js";
import { Code, follow, Responses } from "../src/index.js";
import { Client, checkErrors, Network, pass, settle, type TestServer } from "./network.js";

const URLS = ["ws://one.example/rpc", "ws://two.example/rpc"];

/** A stream of the numbers behind the one that its request has as a text. */
const watch = { ...PingService.method.countUp, input: PingRequestSchema } as unknown as DescMethodServerStreaming<
  typeof PingRequestSchema,
  typeof CountUpResponseSchema
>;

let network: Network;
let client: Client;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
});
afterEach(async () => {
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

/** Starts a server that streams, in place of the one before. */
function serve(url: string): TestServer {
  const server = network.serve(url);
  server.responds = false;
  return server;
}

test.each([1, 2, 3, 4])("follow loses, doubles and reorders nothing in a storm, seed %i", async (seed) => {
  let state = seed;
  const random = (n: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % n;
  };
  const servers = URLS.map(serve);
  client = new Client(network, URLS, { balancer: "roundRobin" });
  const controller = new AbortController();
  const got: bigint[] = [];
  const events = follow({
    from: 0n,
    signal: controller.signal,
    open: (after, options) =>
      new Responses<{ number: bigint }>(() => {
        const call = client.conn.call(watch, { ...options, waitForReady: true });
        void call.send({ text: `${after}` }, true).catch(() => {});
        return call;
      }),
    cursor: ({ number }) => number,
    jitter: (bound) => (bound * random(1000)) / 1000,
  });
  const reading = (async () => {
    for await (const { number } of events) got.push(number);
  })().catch((e) => e);

  const retryInfo: Field = [11, Uint8Array.from([10, 40, ...new TextEncoder().encode("type.googleapis.com/google.rpc.RetryInfo"), 18, 2, 10, 0])]; // biome-ignore format: one line
  for (let round = 0; round < 150; round++) {
    for (const [i, server] of servers.entries()) {
      const { peer } = server;
      for (const call of peer?.calls.splice(0) ?? []) {
        let number = Number(call.text);
        for (let n = random(5); n > 0; n--) peer.send(f.DATA, call.id, Uint8Array.of(8, ...f.encodeNumber(++number)));
        await settle();
        const end = (...fields: Field[]) => peer.send(f.END, call.id, encodeFields([[2, Code.Unavailable], ...fields]));
        const url = URLS[i] as string;
        switch (random(5)) {
          case 0:
            end();
            break;
          case 1:
            end(retryInfo);
            break;
          case 2: // a crash: the next server knows no session
            servers[i] = serve(url);
            peer.close(1006);
            break;
          case 3: // a deploy
            servers[i] = serve(url);
            peer.notice();
            await settle();
            end(retryInfo);
            peer.goaway(peer.lastStream);
            break;
          case 4:
            peer.close(4014, "overloaded");
        }
      }
    }
    await pass(random(500));
  }
  controller.abort();
  expect(await reading).toMatchObject({ code: Code.Canceled });
  expect(got.length).toBeGreaterThan(20);
  expect(got).toEqual(got.map((_, i) => BigInt(i + 1)));
});
