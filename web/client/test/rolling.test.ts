import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Client, checkErrors, type Endpoint, Network, NOTICE, pass, TestServer } from "./network.js";

/** Numbers that only look random. */
function random(seed: number): (most: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (most) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return state % Math.max(1, Math.floor(most));
  };
}

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
  await pass(60_000); // what servers still answer
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

/** A server that drains as a Go server does. */
class Draining extends TestServer {
  draining = false;

  constructor(
    name: string,
    private draw: (most: number) => number,
  ) {
    super(name);
    this.responseMs = () => draw(300);
    this.onHello = (peer) => {
      if (!this.draining) return;
      peer.goaway(0, { status: 14 }); // its link was let in, for it might have resumed a session
      peer.close(1012);
    };
  }

  /** What a new link meets. */
  get answered(): Endpoint {
    if (!this.draining) return this;
    return this.draw(2) ? { status: 503, retryAfter: "1" } : this;
  }

  /** Resolves when all sessions have ended. */
  async drain(): Promise<void> {
    this.draining = true;
    await Promise.all(
      this.peers.map(async (peer) => {
        if (peer.closed !== undefined || peer.linkEnded) return;
        peer.notice(this.draw(2000));
        for (let ms = 0; ms < 7000 && !peer.goaways.includes(NOTICE); ms += 50) await sleep(50);
        peer.goaway(peer.lastStream);
        const last = peer.lastStream;
        while (peer.calls.some(({ id }) => id <= last)) await sleep(50);
        await sleep(50);
        peer.close(1001);
      }),
    );
  }
}

/** Waits on vi's fake clock, which only `pass` moves. */
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

for (const arrangement of ["one URL before all servers", "pickFirst", "roundRobin"] as const) {
  describe(`servers that are replaced one after the other, ${arrangement},`, () => {
    for (let seed = 1; seed <= 4; seed++) {
      test(`fail no call, and leave the state ready: ${seed}`, async () => {
        const draw = random(seed);
        network.dialMs = 20;
        const servers = [0, 1, 2].map((n) => new Draining(`s${n}`, draw));
        const urls = [0, 1, 2].map((n) => `ws://s${n}.example/rpc`);
        let turn = 0;
        network.answer("ws://all.example/rpc", () => servers[turn++ % 3]?.answered);
        for (const [n, url] of urls.entries()) network.answer(url, () => servers[n]?.answered);
        const targets = arrangement.startsWith("one") ? "ws://all.example/rpc" : urls;
        for (let i = 0; i < 4; i++) {
          const balancer = arrangement === "roundRobin" ? arrangement : "pickFirst";
          clients.push(new Client(network, targets, { balancer, jitter: (bound) => draw(bound) }));
        }
        await Promise.all([...clients.map((c) => c.conn.connect()), pass(1000)]);
        for (const c of clients) c.take();

        const answers: Promise<string>[] = [];
        let over = false;
        const load = clients.slice(1).map(async (c) => {
          while (!over) {
            answers.push(c.ping("", draw(2) === 0));
            await sleep(draw(400));
          }
        });
        const deploy = (async () => {
          for (let round = 0; round < 3; round++) {
            for (const [n, server] of servers.entries()) {
              await server.drain();
              servers[n] = new Draining(`s${n}.${round}`, draw);
              await sleep(draw(3000));
            }
          }
          over = true;
        })();
        for (let s = 0; !over && s < 200; s++) await pass(1000);
        expect(over).toBe(true);
        await Promise.all([deploy, ...load, pass(2000)]);
        const failed = (await Promise.all(answers)).filter((a) => !/^s\d/.test(a));
        expect(failed).toEqual([]);
        expect(answers.length).toBeGreaterThan(50);
        for (const c of clients) expect(c.take()).toEqual([]);
      });
    }
  });
}
