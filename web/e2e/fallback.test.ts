import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { BlockingProxy, type Upgrades } from "../testing/blockingproxy.js";
import type { Engine, Page } from "../testing/engines/index.js";
import { Nginx } from "../testing/nginx.js";
import { Server } from "../testing/server.js";
import { files, startBrowser } from "./browser.js";

let browser: Engine;
let server: Server;
let pages: Page[];
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  server = await Server.start("-files", files);
  pages = [];
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await server.stop();
  // No call and no connection may leave a rejection unhandled.
  expect(pages.flatMap((page) => page.errors)).toEqual([]);
});

/** Opens a page of the server behind a proxy. */
async function open(addr: string): Promise<Page> {
  const page = await browser.open(`http://${addr}/`);
  pages.push(page);
  closing.push(() => page.close());
  return page;
}

async function behind(upgrades: Upgrades): Promise<{ page: Page; proxy: BlockingProxy }> {
  const proxy = await BlockingProxy.start(server.port, upgrades);
  closing.push(() => proxy.stop());
  return { page: await open(proxy.addr), proxy };
}

/** Makes calls of all four kinds in the page. The connection stays in keep. */
const calls = (page: Page) =>
  page.evaluate(async () => {
    const { Code, createClient, createConnection, fetchFallback, ParleyError, PingFailureSchema, PingService } = kit;
    const connection = createConnection("/rpc", {
      fallback: fetchFallback({ retry: { initialMs: 200, maxMs: 400 } }),
      connectTimeoutMs: 4000,
    });
    const states: string[] = [];
    connection.subscribe((state) => states.push(state));
    const ping = createClient(PingService, connection);
    keep = { connection, ping, states };
    const { text } = await ping.ping({ text: "hi" });
    const counted: number[] = [];
    for await (const { number } of ping.countUp({ to: 3n })) counted.push(Number(number));
    async function* numbers() {
      yield { number: 1n };
    }
    const of = (e: unknown) => ParleyError.from(e);
    const codes = [
      await ping.sum(numbers()).then(
        () => 0,
        (e) => of(e).code,
      ),
      await ping
        .cumSum(numbers())
        .next()
        .then(
          () => 0,
          (e) => of(e).code,
        ),
    ];
    const failed = await ping.ping({ text: "a", failCode: Code.NotFound }).then(() => undefined, of);
    return {
      text,
      counted,
      codes,
      hint: failed?.findDetails(PingFailureSchema)[0]?.hint,
      state: connection.state as string,
      states,
      why: `${connection.error}`,
    };
  });

const UNIMPLEMENTED = 12;

test.each<Upgrades>([400, 426, 502, "stripped", "hanging"])(
  "a proxy whose WebSockets are %s: calls go over fetch",
  async (upgrades) => {
    const { page, proxy } = await behind(upgrades);
    const got = await calls(page);
    expect(got).toMatchObject({
      text: "hi",
      counted: [1, 2, 3],
      codes: [UNIMPLEMENTED, UNIMPLEMENTED],
      hint: "leave fail_code out",
      state: "fallback",
      states: ["connecting", "fallback"],
    });
    expect(got.why).toContain("WebSockets do not get through");
    expect(proxy.webSockets).toBeGreaterThanOrEqual(3);
  },
);

/** Makes calls in the page until the state is ready again, and returns what a stream that runs over it has brought. */
const returned = (page: Page) =>
  page.evaluate(async () => {
    const { connection, ping } = keep as {
      connection: ReturnType<typeof kit.createConnection>;
      ping: ReturnType<typeof kit.createClient<typeof kit.PingService>>;
    };
    const ready = new Promise<void>((resolve) => {
      connection.subscribe((state) => state === "ready" && resolve());
      if (connection.state === "ready") resolve();
    });
    let isReady = false;
    void ready.then(() => (isReady = true));
    let last = 0;
    for await (const { number } of ping.countUp({ to: 400n, delayMs: 5 })) {
      last = Number(number);
      if (!isReady) await ping.ping({ text: `${number}` }); // none fails
    }
    await ready;
    async function* numbers() {
      yield { number: 20n };
      yield { number: 3n };
    }
    const { sum } = await ping.sum(numbers());
    await connection.close();
    return { last, sum: Number(sum) };
  });

test("a proxy that lets WebSockets through later: calls use them, and none fails", async () => {
  const { page, proxy } = await behind(502);
  expect((await calls(page)).state).toBe("fallback");
  proxy.upgrades = "forwarded";
  expect(await returned(page)).toEqual({ last: 400, sum: 23 });
  expect(await page.evaluate(() => keep.states)).toEqual(["connecting", "fallback", "ready", "closed"]);
});

test("nginx without Upgrade, and with it later: calls go over fetch, and then over a WebSocket", async () => {
  const nginx = await Nginx.start(server.port, "without Upgrade");
  closing.push(() => nginx.stop());
  const page = await open(nginx.addr);
  expect(await calls(page)).toMatchObject({
    text: "hi",
    counted: [1, 2, 3],
    state: "fallback",
    states: ["connecting", "fallback"],
  });
  // nginx passes the messages of a stream on as they come.
  const gap = await page.evaluate(async () => {
    const at: number[] = [];
    for await (const _ of keep.ping.countUp({ to: 3n, delayMs: 300 })) at.push(performance.now());
    return (at[2] as number) - (at[0] as number);
  });
  expect(gap).toBeGreaterThan(300);
  await nginx.reload("with Upgrade");
  expect(await returned(page)).toEqual({ last: 400, sum: 23 });
});

test("an aborted call, and a loop that is left, end their requests", async () => {
  const { page } = await behind(400);
  await calls(page);
  const before = await server.sent();
  const got = await page.evaluate(async () => {
    const { ping, connection } = keep;
    const left = new AbortController();
    const slow = ping.ping({ delayMs: 60_000 }, { signal: left.signal }).then(
      () => 0,
      (e: unknown) => kit.ParleyError.from(e).code,
    );
    left.abort();
    for await (const { number } of ping.countUp({ to: 1_000_000n, delayMs: 1 })) if (number === 3n) break;
    const late = await ping.ping({ delayMs: 60_000 }, { timeoutMs: 100 }).then(
      () => 0,
      (e: unknown) => kit.ParleyError.from(e).code,
    );
    for (let i = 0; i < 20; i++) await ping.ping({ text: `${i}` });
    const codes = [await slow, late];
    await connection.close();
    return codes;
  });
  expect(got).toEqual([1, 4]);
  expect((await server.sent()) - before).toBeLessThan(1000);
});
