import { join } from "node:path";
import { createConnection } from "@parley-rpc/client";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Numbers } from "../chat/src/numbers.js";
import { Chat } from "../chat/test/chat.js";
import { listen } from "../chat/test/listener.js";
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

async function enter(name: string, room = "engines"): Promise<Page> {
  const page = await browser.open(`${chat.url}/#${room}`, errors);
  await page.getByLabel("Your name").fill(name);
  await page.keyboard.press("Enter");
  await page.getByText(`# ${room}`).waitFor();
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

test("a listener that uses follow misses nothing when its server is killed", async () => {
  const conns = [0, 1, 2].map(() => createConnection(`${chat.url.replace("http", "ws")}/rpc`, { WebSocket }));
  const left = new AbortController();
  const numbers = new Numbers();
  const all = conns.map((conn) => {
    const heard: string[] = [];
    const ended = listen(
      conn,
      "wall",
      left.signal,
      ({ text, member, number }) => {
        if (numbers.add(`${conns.indexOf(conn)} ${member}`, number)) heard.push(text);
      },
      () => heard.push("a gap"),
    ).catch(() => {});
    return { heard, ended };
  });
  const page = await enter("Ada", "wall");
  await say(page, "line 0");
  await until("all hear the first line", () => all.every(({ heard }) => heard.includes("line 0")));
  const back = chat.kill((await serverOf(page)) === "server 1" ? "server 2" : "server 1"); // of one of the listeners
  for (let i = 1; i < 15; i++) await say(page, `line ${i}`);
  await until("all hear the last line", () => all.every(({ heard }) => heard.includes("line 14")), 30_000);
  for (const { heard } of all) expect(heard).toEqual(Array.from({ length: 15 }, (_, i) => `line ${i}`));
  left.abort();
  for (const { ended } of all) await ended;
  for (const conn of conns) await conn.close();
  await page.close();
  await back;
});

test("a session goes on when its link returns, whichever server gets the link", async () => {
  const page = await enter("Ada", "links");
  await say(page, "before");
  const server = await serverOf(page);
  await page.getByRole("button", { name: "Break the link" }).click();
  await say(page, "meanwhile");
  await page.getByText("Link 2: the session goes on after").waitFor();
  await page.getByText("2 lines: none missing.").waitFor();
  expect(await seen(page)).toEqual(["before", "meanwhile"]);
  expect(await serverOf(page)).toBe(server); // which owns the session
  await page.close();
});

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
  await converse(pages, 10, 25);
  const each = Array.from({ length: 25 }, (_, i) => i);
  const whole = [...each.map((i) => `Ada ${i}`), ...each.map((i) => `Grace ${i}`)].sort();
  await until(
    "all lines are there",
    async () => {
      const counts = await Promise.all(pages.map(async (page) => (await seen(page)).length));
      return counts.every((n) => n >= whole.length);
    },
    30_000,
  );
  const lines = await seen(ada);
  expect([...lines].sort()).toEqual(whole);
  expect(await seen(grace)).toEqual(lines);
  for (const name of ["Ada", "Grace"]) {
    expect(lines.filter((l) => l.startsWith(name))).toEqual(each.map((i) => `${name} ${i}`));
  }
  for (const page of pages) {
    await page.getByText("50 lines: none missing.").waitFor();
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
