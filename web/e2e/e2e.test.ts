import { expect, test } from "vitest";
import { Fake } from "../testing/fake.js";
import { Server } from "../testing/server.js";
import { until } from "../testing/until.js";
import { files } from "./browser.js";
import { Site } from "./site.js";

const site = Site.forEach();

test("the four kinds, a hundred calls at once among them, on one WebSocket", async () => {
  const got = await site.page.evaluate(async () => {
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
  expect(site.tunnel.webSockets).toBe(1);
});

test("the server calls the page", async () => {
  const got = await site.page.evaluate(async () => {
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
  const before = await site.server.sent();
  const got = await site.page.evaluate(async () => {
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
  const sent = await site.server.steady(() => site.page.evaluate(() => globalThis.keep.ping.ping({}).then(() => {})));
  expect(sent - before).toBeLessThan(1000);
});

test("a link that is cut is resumed, and nothing is lost", async () => {
  const counting = site.page.evaluate(async () => {
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
  const before = await site.server.sent();
  for (const cut of [20, 120, 220]) {
    await until(`${cut} messages`, async () => (await site.server.sent()) - before >= cut);
    site.tunnel.cut();
  }
  const got = await counting;
  expect(got.counted).toBe(300);
  expect(got.states.filter((state) => state === "resuming").length).toBe(3);
  expect(site.tunnel.webSockets).toBe(4);
});

test("a page of another origin is refused, and told so", async () => {
  const other = await Server.start();
  try {
    const error = await site.page.evaluate(async (url) => {
      const { createConnection, ParleyError } = kit;
      const connection = createConnection(url);
      const error = ParleyError.from(await connection.connect().catch((e) => e));
      await connection.close();
      return error.message;
    }, other.url());
    expect(error).toBe(
      `permission_denied: the server refuses pages of http://${site.tunnel.addr}: allow this origin at the server`,
    );
  } finally {
    await other.stop();
  }
});

test("a bearer token is accepted, or rejected with a readable status", async () => {
  const got = await site.page.evaluate(async () => {
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
    const got = await site.page.evaluate(
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
  await site.page.evaluate(async () => {
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
    await site.server.drain();
    await site.page.evaluate(async () => {
      for (let n = 0; n < 50; n++) await globalThis.keep.ping.ping({});
    });
  }
  const got = await site.page.evaluate(async () => ({ last: await globalThis.keep.flying, states: globalThis.keep.states }));
  expect(got).toEqual({ last: 100, states: [] });
});

test("a restarted server fails old calls and serves new ones", async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc", { jitter: () => 50 });
    const ping = createClient(PingService, connection);
    await ping.ping({});
    const flying = ping.ping({ delayMs: 60_000 }).catch((e) => e.message);
    await ping.ping({});
    globalThis.keep = { ping, flying };
  });
  await site.server.stop("killed");
  site.server = await Server.start("-files", files, "-addr", site.server.addr);
  const got = await site.page.evaluate(async () => {
    const { ping, flying } = globalThis.keep;
    return [await flying, (await ping.ping({ text: "hi" }, { waitForReady: true })).text];
  });
  expect(got).toEqual(["unavailable: session lost: the peer does not know it", "hi"]);
});
