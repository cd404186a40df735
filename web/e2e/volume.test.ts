import { expect, test } from "vitest";
import { until } from "../testing/until.js";
import { Site } from "./site.js";

const site = Site.forEach();

test("a slow consumer stops its server and bounds what waits", async () => {
  const before = await site.server.sent();
  const down = site.tunnel.down;
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const ping = createClient(PingService, createConnection("/rpc"));
    const answers = ping.countUp({ to: 10_000_000n });
    await answers.next();
    globalThis.keep = { ping, answers };
  });
  const sent = await site.server.steady(() => site.page.evaluate(() => globalThis.keep.ping.ping({}).then(() => {})));
  expect(sent - before).toBeLessThan((2 * 1_048_576) / 33);
  expect(site.tunnel.down - down).toBeLessThan(1 << 20);
});

test("a page that sends more than the server reads is stopped, and goes on when the server reads", async () => {
  await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const ping = createClient(PingService, createConnection("/rpc"));
    globalThis.keep = { ping, sent: 0, reading: true };
    async function* numbers() {
      for (; globalThis.keep.reading; globalThis.keep.sent++) yield { number: 1n };
    }
    // The server stops reading when its answers are not read.
    globalThis.keep.answers = ping.cumSum(numbers());
    await globalThis.keep.answers.next();
  });
  let sent = 0;
  await until(
    "the page stops",
    async () => {
      const before = sent;
      sent = await site.page.evaluate(async () => {
        for (let i = 0; i < 5; i++) await globalThis.keep.ping.ping({});
        return globalThis.keep.sent;
      });
      return sent > 0 && sent === before;
    },
    40_000,
  );
  expect(sent).toBeLessThan((4 * 1_048_576) / 33); // a window of each direction, and as much again
  expect(site.tunnel.up).toBeLessThan(4 << 20);
  const sum = await site.page.evaluate(async () => {
    globalThis.keep.reading = false;
    let last = 0n;
    for await (const { sum } of globalThis.keep.answers) last = sum;
    return Number(last);
  });
  expect(sum).toBeGreaterThanOrEqual(sent);
});

test("messages of 8 MiB pass in both directions, and small calls beside them", async () => {
  const got = await site.page.evaluate(async () => {
    const { createClient, createConnection, PingService } = kit;
    const connection = createConnection("/large", { settings: { maxMessage: 16 << 20 } });
    const ping = createClient(PingService, connection);
    const text = "8 bytes ".repeat(1 << 20);
    const large = [ping.ping({ text }), ping.ping({ text })];
    const small: string[] = [];
    for (let i = 0; i < 10; i++) small.push((await ping.ping({ text: `${i}` })).text);
    const same = (await Promise.all(large)).map((a) => a.text === text);
    await connection.close();
    return { same, small: small.length };
  });
  expect(got).toEqual({ same: [true, true], small: 10 });
});
