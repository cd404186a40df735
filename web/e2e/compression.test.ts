import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";
import { Site } from "./site.js";

const site = Site.forEach();

test("messages are compressed in both directions, in order", async () => {
  const before = site.tunnel.up + site.tunnel.down;
  const got = await site.page.evaluate(async () => {
    const { createClient, createConnection, gzip, PingService } = kit;
    const connection = createConnection("/rpc", { codec: gzip() });
    const ping = createClient(PingService, connection);
    const text = "a text that repeats. ".repeat(50_000);
    async function* numbers() {
      for (let n = 1n; n <= 100n; n++) yield { number: n };
    }
    const answers = await Promise.all(Array.from({ length: 5 }, () => ping.ping({ text })));
    const sums: number[] = [];
    for await (const { sum } of ping.cumSum(numbers())) sums.push(Number(sum));
    await connection.close();
    return { same: answers.every((a) => a.text === text), length: text.length, sums: sums.length, last: sums.at(-1) };
  });
  expect(got).toEqual({ same: true, length: 1_050_000, sums: 100, last: 5050 });
  expect(site.tunnel.up + site.tunnel.down - before).toBeLessThan(200_000); // of 10 MB
});

test("the server refuses a message that inflates beyond its limit, and goes on", async () => {
  const got = await site.page.evaluate(async () => {
    const { createClient, createConnection, gzip, PingService } = kit;
    const connection = createConnection("/rpc", { codec: gzip() });
    const ping = createClient(PingService, connection);
    const error = await ping.ping({ text: "x".repeat(64 << 20) }).catch((e) => e);
    const { text } = await ping.ping({ text: "next" });
    await connection.close();
    return [error.code, text];
  });
  expect(got).toEqual([8, "next"]);
});

test("the page stops inflating a bomb soon after the limit", async () => {
  const bomb = gzipSync(new Uint8Array(512 << 20)).toString("base64"); // 510 KiB
  const got = await site.page.evaluate(async (bomb) => {
    const { gzip } = kit;
    const bytes = Uint8Array.from(atob(bomb), (c) => c.charCodeAt(0));
    let inflated = 0;
    const read = ReadableStreamDefaultReader.prototype.read;
    ReadableStreamDefaultReader.prototype.read = async function (this: ReadableStreamDefaultReader) {
      const next = await read.call(this);
      inflated += next.value?.length ?? 0;
      return next;
    };
    const stream = {
      session: { settings: { maxMessage: 4 << 20 } },
      next: async () => ({ bytes, mark: true }),
    };
    gzip().attach?.(stream as never, "gzip");
    const message = (await stream.next()) as { bytes: Uint8Array };
    ReadableStreamDefaultReader.prototype.read = read;
    try {
      return [0, message.bytes.length];
    } catch (e) {
      return [(e as { code: number }).code, inflated];
    }
  }, bomb);
  expect(got[0]).toBe(8);
  // 8 KiB are inflated at a time, to 8 MiB at most. WebKit gives all of that at once.
  expect(got[1]).toBeLessThan(inject("engine") === "webkit" ? 12 << 20 : 5 << 20);
});

// docs/browser.md has the figures: `npm run e2e -- compression`.
test("text takes a fifth of the bytes; what that costs is printed", async () => {
  const got = await site.page.evaluate(async () => {
    const { createClient, createConnection, gzip, PingService } = kit;
    const connection = createConnection("/rpc");
    const ping = createClient(PingService, connection);
    const words = ["order", "customer", "item", "price", "quantity", "delivered", "pending", "2026-11-27", "EUR"];
    let seed = 1;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const text = (size: number) => {
      let s = "";
      while (s.length < size) s += `{"${words[Math.floor(random() * 9)]}":${Math.floor(random() * 1000)}},`;
      return s.slice(0, size);
    };
    const rows: string[] = [];
    for (const size of [1 << 10, 64 << 10, 1 << 20]) {
      const message = { text: text(size) };
      const times: Record<string, number[]> = { plain: [], gzip: [] };
      for (let round = 0; round < 10; round++) {
        for (const [name, options] of [
          ["plain", {}],
          ["gzip", { codec: gzip() }],
        ] as const) {
          const began = performance.now();
          await ping.ping(message, options);
          times[name]?.push(performance.now() - began);
        }
      }
      const median = (all: number[] | undefined) => all?.sort((a, b) => a - b)[all.length >> 1] as number;
      rows.push(`${size >> 10} KiB: ${median(times.plain).toFixed(2)} ms plain, ${median(times.gzip).toFixed(2)} ms gzip`);
    }
    await connection.close();
    return { rows, text: text(64 << 10) };
  });
  const packed = gzipSync(got.text).length;
  console.log(`${got.rows.join("\n")}\n64 KiB of it take ${(packed / 1024).toFixed(1)} KiB`);
  expect(packed).toBeLessThan(got.text.length / 4);
});
