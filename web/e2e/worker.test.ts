import { expect, test } from "vitest";
import { Site } from "./site.js";

const site = Site.forEach();

test("a dedicated worker makes calls", async () => {
  const text = await site.page.evaluate(async () => {
    const worker = new Worker("/worker.js");
    const answer = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    worker.postMessage("from a worker");
    return answer;
  });
  expect(text).toBe("from a worker");
});

test("a shared worker makes the calls of two pages on one WebSocket", async () => {
  const ask = (text: string) => {
    const { port } = new SharedWorker("/worker.js");
    const answer = new Promise((resolve) => (port.onmessage = ({ data }) => resolve(data)));
    port.postMessage(text);
    return answer;
  };
  const other = await site.browser.open(site.url());
  expect(await site.page.evaluate(ask, "from one page")).toBe("from one page");
  expect(await other.evaluate(ask, "from another")).toBe("from another");
  expect(site.tunnel.webSockets).toBe(1);
  await other.close();
  expect(other.errors).toEqual([]);
});

test("a service worker makes calls", async () => {
  const text = await site.page.evaluate(async () => {
    const registration = await navigator.serviceWorker.register("/worker.js");
    const { active } = await navigator.serviceWorker.ready;
    const answer = new Promise((resolve) => (navigator.serviceWorker.onmessage = ({ data }) => resolve(data)));
    active?.postMessage("from a service worker");
    const text = await answer;
    await registration.unregister();
    return text;
  });
  expect(text).toBe("from a service worker");
});
