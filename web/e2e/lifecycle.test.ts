import { expect, inject, test } from "vitest";
import { until } from "../testing/until.js";
import { hide, setOffline, show } from "./browser.js";
import { Site } from "./site.js";

const site = Site.forEach();

test("a page without a network goes on when it is back", async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc", { settings: { keepalive: 1000 } });
    await connection.connect();
    globalThis.keep = { connection, ping: createClient(PingService, connection) };
  });
  site.tunnel.refusing = true;
  await setOffline(site.page, true);
  site.tunnel.cut();
  await until("the page misses its link", () => site.page.evaluate(() => globalThis.keep.connection.state === "resuming"));
  const answer = site.page.evaluate(() => globalThis.keep.ping.ping({ text: "hi" }).then(({ text }: { text: string }) => text));
  site.tunnel.refusing = false;
  await setOffline(site.page, false); // fires "online"
  expect(await answer).toBe("hi");
});

test("a page that is shown again checks its link", async () => {
  const answered = await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    await connection.connect();
    document.dispatchEvent(new Event("visibilitychange"));
    const { text } = await createClient(PingService, connection).ping({ text: "still there" });
    return text;
  });
  expect(answered).toBe("still there");
  expect(site.tunnel.webSockets).toBe(1);
});

test("a page that is hidden goes on receiving", async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const ping = createClient(PingService, createConnection("/rpc"));
    globalThis.keep = { counted: 0 };
    void (async () => {
      for await (const _ of ping.countUp({ to: 1_000_000n, delayMs: 10 })) globalThis.keep.counted++;
    })().catch(() => {});
  });
  await hide(site.page);
  const counted = () => site.page.evaluate(() => globalThis.keep.counted as number);
  const before = await counted();
  await until("100 more messages came", async () => (await counted()) >= before + 100);
  expect(site.tunnel.webSockets).toBe(1);
  await show(site.page);
});

test("a page whose link died while it was hidden has another one soon after it is shown", async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    await connection.connect();
    globalThis.keep = { connection, ping: createClient(PingService, connection) };
  });
  await hide(site.page);
  site.tunnel.silence();
  const shown = performance.now();
  await show(site.page);
  const answer = await site.page.evaluate(async () => (await globalThis.keep.ping.ping({ text: "hi" })).text as string);
  expect(answer).toBe("hi");
  expect(site.tunnel.webSockets).toBe(2);
  expect(performance.now() - shown).toBeLessThan(20_000); // keepalive would take over 25 s to begin
});

/** Whether the engine puts a page with an open WebSocket into its back/forward cache. */
const caches = { chromium: true, firefox: false, webkit: true }[inject("engine")];

test(`a page that goes away and comes back ${caches ? "resumes its session from the cache" : "is loaded again, and connects"}`, async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    const answers = ping.countUp({ to: 150n, delayMs: 10 });
    await answers.next();
    globalThis.keep = { answers, persisted: false };
    addEventListener("pageshow", (e) => (globalThis.keep.persisted = e.persisted));
  });
  await site.page.goto(site.url("/other.html"));
  await site.page.back();
  const got = await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    if (!globalThis.keep) return (await createClient(PingService, createConnection("/rpc")).ping({ text: "anew" })).text;
    const rest: number[] = [];
    for await (const { number } of globalThis.keep.answers) rest.push(Number(number));
    return { rest: rest.length, persisted: globalThis.keep.persisted as boolean };
  });
  expect(got).toEqual(caches ? { rest: 149, persisted: true } : "anew");
  await site.page.forward();
  expect(await site.page.evaluate(() => location.pathname)).toBe("/other.html");
});

// Firefox closes the WebSocket before a page that is loaded again hears of it. When a page is closed, Firefox may or may not
// send what the page says then.
const saysGoodbye = inject("engine") !== "firefox";

for (const [how, leave] of [
  ["is loaded again", () => site.page.reload()],
  ["is closed", () => site.page.close()],
] as const) {
  test(`the session of a page that ${how} ends ${saysGoodbye ? "at once" : "within its resume window"}`, async () => {
    await site.page.evaluate(async () => {
      const { createClient, createConnection, PingService } = kit;
      const ping = createClient(PingService, createConnection("/rpc", { settings: { resumeWindow: 5000 } }));
      void ping.ping({ delayMs: 60_000 }).catch(() => {});
      await ping.ping({});
    });
    expect(await site.server.open()).toBe(1);
    await leave();
    const left = performance.now();
    await until("the session has ended", async () => (await site.server.open()) === 0);
    expect(performance.now() - left).toBeLessThan(saysGoodbye ? 3000 : 8000);
  });
}
