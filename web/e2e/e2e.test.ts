import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Fake } from "../testing/fake.js";
import { Server } from "../testing/server.js";
import { Tunnel } from "../testing/tunnel.js";
import { until } from "../testing/until.js";
import { Browser, buildPages, files } from "./browser.js";

let browser: Browser;
let server: Server;
let tunnel: Tunnel;
let page: Page;
let errors: string[];
let sockets: string[];

beforeAll(async () => {
  await buildPages();
  browser = await Browser.start();
});
afterAll(() => browser.stop());
beforeEach(async () => {
  server = await Server.start("-files", files);
  tunnel = await Tunnel.start(server.port);
  errors = [];
  sockets = [];
  page = await browser.open(`http://${tunnel.addr}/`, errors);
  page.on("websocket", (s) => sockets.push(s.url()));
});
afterEach(async () => {
  await page.close();
  await tunnel.stop();
  await server.stop();
  // No call and no connection may leave a rejection unhandled.
  expect(errors).toEqual([]);
});

test("the four kinds, a hundred calls at once among them, on one WebSocket", async () => {
  const got = await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    async function* numbers() {
      for (let n = 1; n <= 10; n++) yield { number: BigInt(n) };
    }
    const many = await Promise.all(Array.from({ length: 100 }, (_, i) => ping.ping({ text: `${i}` })));
    let counted = 0;
    for await (const { number } of ping.countUp({ to: 5000n })) if (number === BigInt(counted + 1)) counted++;
    const { sum } = await ping.sum(numbers());
    const sums: number[] = [];
    for await (const { sum } of ping.cumSum(numbers())) sums.push(Number(sum));
    await connection.close();
    return { many: many.every(({ text }, i) => text === `${i}`), counted, sum: Number(sum), sums };
  });
  expect(got).toEqual({ many: true, counted: 5000, sum: 55, sums: [1, 3, 6, 10, 15, 21, 28, 36, 45, 55] });
  expect(sockets.length).toBe(1);
});

test("the server calls the page", async () => {
  const got = await page.evaluate(async () => {
    const { AgentService, createClient, createConnection, HubService } = kit;
    const connection = createConnection("/rpc");
    connection.serve(AgentService, {
      describe: () => ({ platform: document.title }),
      async *watch({ count }) {
        for (let number = 1; number <= count; number++) yield { reading: { number } };
      },
    });
    const hub = createClient(HubService, connection);
    const { agents } = await hub.listAgents({});
    let readings = 0;
    for await (const _ of hub.watchAgent({ watch: { count: 300 } })) readings++;
    await connection.close();
    return { platform: agents[0]?.description?.platform, readings };
  });
  expect(got).toEqual({ platform: "a page", readings: 300 });
});

test("leaving the loop cancels, deadlines pass, errors have details", async () => {
  const before = await server.sent();
  const got = await page.evaluate(async () => {
    const { createClient, createConnection, ParleyError, PingFailureSchema, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    for await (const { number } of ping.countUp({ to: 1_000_000n, delayMs: 1 })) if (number === 5n) break;
    const failure = async (call: Promise<unknown>) =>
      ParleyError.from(
        await call.then(
          () => "it did not fail",
          (e) => e,
        ),
      );
    const late = await failure(ping.ping({ delayMs: 60_000 }, { timeoutMs: 50 }));
    const refused = await failure(ping.ping({ text: "hi", failCode: 9 }));
    globalThis.keep = { ping };
    return { late: late.message, refused: refused.message, hints: refused.findDetails(PingFailureSchema).map((d) => d.hint) };
  });
  expect(got.late).toMatch(/^deadline_exceeded/);
  expect(got).toMatchObject({ refused: "failed_precondition: failing as asked", hints: ["leave fail_code out"] });
  const sent = await server.steady(() => page.evaluate(() => globalThis.keep.ping.ping({}).then(() => {})));
  expect(sent - before).toBeLessThan(1000);
});

test("a slow consumer stops its server and bounds what waits", async () => {
  const before = await server.sent();
  const down = tunnel.down;
  await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const ping = createClient(PingService, createConnection("/rpc"));
    const answers = ping.countUp({ to: 10_000_000n });
    await answers.next();
    globalThis.keep = { ping, answers };
  });
  const sent = await server.steady(() => page.evaluate(() => globalThis.keep.ping.ping({}).then(() => {})));
  expect(sent - before).toBeLessThan((2 * 1_048_576) / 33);
  expect(tunnel.down - down).toBeLessThan(1 << 20);
});

test("a link that is cut is resumed, and nothing is lost", async () => {
  const counting = page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc", { jitter: () => 20 });
    const states: string[] = [];
    connection.subscribe((state) => states.push(state));
    const ping = createClient(PingService, connection);
    let counted = 0;
    for await (const { number } of ping.countUp({ to: 300n, delayMs: 10 })) if (number === BigInt(counted + 1)) counted++;
    await connection.close();
    return { counted, states };
  });
  const before = await server.sent();
  for (const cut of [20, 120, 220]) {
    await until(`${cut} messages`, async () => (await server.sent()) - before >= cut);
    tunnel.cut();
  }
  const got = await counting;
  expect(got.counted).toBe(300);
  expect(got.states.filter((state) => state === "resuming").length).toBe(3);
  expect(sockets.length).toBe(4);
});

test("a page without a network goes on when it is back", async () => {
  await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc", { settings: { keepalive: 1000 } });
    await connection.connect();
    globalThis.keep = { connection, ping: createClient(PingService, connection) };
  });
  tunnel.refusing = true;
  await page.context().setOffline(true);
  tunnel.cut();
  await until("the page misses its link", () => page.evaluate(() => globalThis.keep.connection.state === "resuming"));
  const answer = page.evaluate(() => globalThis.keep.ping.ping({ text: "hi" }).then(({ text }: { text: string }) => text));
  tunnel.refusing = false;
  await page.context().setOffline(false); // fires "online"
  expect(await answer).toBe("hi");
});

test("a page that is shown again checks its link", async () => {
  const answered = await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    await connection.connect();
    document.dispatchEvent(new Event("visibilitychange"));
    const { text } = await createClient(PingService, connection).ping({ text: "still there" });
    return text;
  });
  expect(answered).toBe("still there");
  expect(sockets.length).toBe(1);
});

test("a page in the back/forward cache resumes its session", async () => {
  await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    const answers = ping.countUp({ to: 150n, delayMs: 10 });
    await answers.next();
    globalThis.keep = { answers, persisted: false };
    addEventListener("pageshow", (e) => (globalThis.keep.persisted = e.persisted));
  });
  await page.goto(`http://${tunnel.addr}/other.html`);
  await page.goBack({ waitUntil: "commit" }); // a page from the cache is not loaded again
  const got = await page.evaluate(async () => {
    const rest: number[] = [];
    for await (const { number } of globalThis.keep.answers) rest.push(Number(number));
    return { rest: rest.length, persisted: globalThis.keep.persisted };
  });
  expect(got).toEqual({ rest: 149, persisted: true });
});

for (const [how, leave] of [
  ["is loaded again", () => page.reload()],
  ["is closed", () => page.close({ runBeforeUnload: true })],
] as const) {
  test(`a page that ${how} says goodbye, and its session ends at once`, async () => {
    await page.evaluate(async () => {
      const { createClient, createConnection, PingService } = kit;
      const ping = createClient(PingService, createConnection("/rpc"));
      void ping.ping({ delayMs: 60_000 }).catch(() => {});
      await ping.ping({});
    });
    expect(await server.open()).toBe(1);
    await leave();
    // It is not kept for 30 s like a detached session.
    await until("the session has ended", async () => (await server.open()) === 0);
  });
}

test("a page of another origin is refused, and told so", async () => {
  const other = await Server.start();
  try {
    const error = await page.evaluate(async (url) => {
      const { createConnection, ParleyError } = kit;
      const connection = createConnection(url);
      const error = ParleyError.from(await connection.connect().catch((e) => e));
      await connection.close();
      return error.message;
    }, other.url());
    expect(error).toBe(`permission_denied: the server refuses pages of http://${tunnel.addr}: allow this origin at the server`);
  } finally {
    await other.stop();
  }
});

test("a bearer token is accepted, or rejected with a readable status", async () => {
  const got = await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const ask = async (token: string) => {
      const connection = createConnection("/auth", { credentials: async () => token });
      const answer = await createClient(PingService, connection)
        .ping({ text: "let in" })
        .then(
          ({ text }) => text,
          (e) => e.message,
        );
      await connection.close();
      return answer;
    };
    return [await ask("secret"), await ask("wrong")];
  });
  expect(got).toEqual(["let in", "unauthenticated: closed by the peer with code 4016: the token is not the right one"]);
});

test("a server of another version is named, and what is no Parley server", async () => {
  const headers = { "Parley-Versions": "parley.v2", "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*" };
  const next = await Fake.http((_, res) => res.writeHead(426, headers).end());
  try {
    const got = await page.evaluate(
      async (urls) => {
        const messages: string[] = [];
        for (const url of urls) {
          const connection = kit.createConnection(url);
          await connection.connect().catch((e) => messages.push(e.message));
          await connection.close();
        }
        return messages;
      },
      [next.url, "/nothing-here"],
    );
    expect(got).toEqual([
      "unimplemented: no common version: the server speaks parley.v2, this client parley.v1",
      "unimplemented: not a WebSocket endpoint: HTTP status 404",
    ]);
  } finally {
    await next.stop();
  }
});

test("a server that drains fails no call of a page, which stays ready", async () => {
  await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    await ping.ping({});
    const states: string[] = [];
    connection.subscribe((state) => states.push(state));
    const flying = (async () => {
      let last = 0n;
      for await (const { number } of ping.countUp({ to: 100n, delayMs: 10 })) last = number;
      return Number(last);
    })();
    globalThis.keep = { ping, states, flying };
  });
  for (let i = 0; i < 3; i++) {
    await server.drain();
    await page.evaluate(async () => {
      for (let n = 0; n < 50; n++) await globalThis.keep.ping.ping({});
    });
  }
  const got = await page.evaluate(async () => ({ last: await globalThis.keep.flying, states: globalThis.keep.states }));
  expect(got).toEqual({ last: 100, states: [] });
});

test("a restarted server fails old calls and serves new ones", async () => {
  await page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc", { jitter: () => 50 });
    const ping = createClient(PingService, connection);
    await ping.ping({});
    const flying = ping.ping({ delayMs: 60_000 }).catch((e) => e.message);
    await ping.ping({});
    globalThis.keep = { ping, flying };
  });
  await server.stop("killed");
  server = await Server.start("-files", files, "-addr", server.addr);
  const got = await page.evaluate(async () => {
    const { ping, flying } = globalThis.keep;
    return [await flying, (await ping.ping({ text: "hi" }, { waitForReady: true })).text];
  });
  expect(got).toEqual(["unavailable: session lost: the peer does not know it", "hi"]);
});

test("a worker makes calls", async () => {
  const text = await page.evaluate(async () => {
    const program = `importScripts("${location.origin}/kit.js");
      const connection = kit.createConnection("${location.origin}/rpc");
      kit.createClient(kit.PingService, connection).ping({ text: "from a worker" }).then(({ text }) => postMessage(text), (e) => postMessage(e.message));`;
    const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
    return new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
  });
  expect(text).toBe("from a worker");
});
