import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Chat } from "../chat/test/chat.js";
import { until } from "../testing/until.js";
import { Browser, files } from "./browser.js";

let browser: Browser;
let chat: Chat;
const errors: string[] = [];

beforeAll(async () => {
  [chat, browser] = await Promise.all([Chat.startServers(3), Browser.start()]);
});
afterAll(async () => {
  await browser.stop();
  await chat.stop();
  expect(errors).toEqual([]);
});

async function enter(name: string): Promise<Page> {
  const page = await browser.open(`${chat.url}/#engines`, errors);
  await page.getByLabel("Your name").fill(name);
  await page.keyboard.press("Enter");
  await page.getByText("# engines").waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** Returns the server that serves a page's session. */
async function serverOf(page: Page): Promise<string> {
  const [, server] = /^Served by (.*)\.$/.exec((await page.locator("#server").textContent()) ?? "") ?? [];
  return server as string;
}

const seen = (page: Page) => page.locator("#log .bubble p").allTextContents();

/** Both pages speak, a line each at a time. */
async function converse(pages: [Page, Page], from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await say(pages[0], `Ada ${i}`);
    await say(pages[1], `Grace ${i}`);
  }
}

test("a server is killed while two people talk, and both see every line once and in the same order", async () => {
  const pages: [Page, Page] = [await enter("Ada"), await enter("Grace")];
  const [ada, grace] = pages;
  await ada.getByText("In the room: 2").waitFor();
  await grace.getByText("In the room: 2").waitFor();
  const before = await Promise.all(pages.map(serverOf));
  expect(before[0]).not.toBe(before[1]); // round robin

  await converse(pages, 0, 10);
  const killed = before[0] as string;
  const back = chat.kill(killed);
  await converse(pages, 10, 40);
  const each = Array.from({ length: 40 }, (_, i) => i);
  const whole = [...each.map((i) => `Ada ${i}`), ...each.map((i) => `Grace ${i}`)].sort();
  await until("all lines are there", async () => {
    const counts = await Promise.all(pages.map(async (page) => (await seen(page)).length));
    return counts.every((n) => n >= whole.length);
  });
  const lines = await seen(ada);
  expect([...lines].sort()).toEqual(whole);
  expect(await seen(grace)).toEqual(lines);
  for (const name of ["Ada", "Grace"]) {
    expect(lines.filter((l) => l.startsWith(name))).toEqual(each.map((i) => `${name} ${i}`));
  }
  for (const page of pages) {
    await page.getByText("80 lines: none missing.").waitFor();
    await page.getByText("In the room: 2").waitFor();
    expect(await page.locator("#outbox li").count()).toBe(0);
  }
  expect(await serverOf(ada)).not.toBe(killed);
  await ada.getByText("You are back. What was said").waitFor();

  await back;
  const eve = await enter("Eve");
  const others = [eve, await enter("Carol"), await enter("Dan")];
  expect(await Promise.all(others.map(serverOf))).toContain(killed); // nginx gives it connections again
  expect(await seen(eve)).toEqual(lines);
  await ada.getByText("In the room: 5").waitFor();
  await ada.screenshot({ path: join(files, "chat-servers.png") });
  for (const page of [...pages, ...others]) await page.close();
});
