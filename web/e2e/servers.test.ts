import { join } from "node:path";
import { createConnection } from "@parley-rpc/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Numbers } from "../chat/src/numbers.js";
import { Chat } from "../chat/test/chat.js";
import { listen } from "../chat/test/listener.js";
import type { Engine } from "../testing/engines/index.js";
import { until } from "../testing/until.js";
import { files, startBrowser } from "./browser.js";
import { Person } from "./person.js";

let browser: Engine;
let chat: Chat;

beforeAll(async () => {
  [chat, browser] = await Promise.all([Chat.startServers(3), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await chat?.stop();
});

async function enter(name: string, room = "engines"): Promise<Person> {
  const person = await Person.come(browser, `${chat.url}/#${room}`);
  await person.fill("name", name);
  await person.page.press("Enter");
  await person.sees(`# ${room}`);
  return person;
}

/** Returns the server that serves a person's session. */
async function serverOf(person: Person): Promise<string> {
  const [text = ""] = await person.texts("#server");
  const [, server] = /^Served by (.*)\.$/.exec(text) ?? [];
  return server as string;
}

/** Both pages speak, a line each at a time. */
async function converse(pages: [Person, Person], from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await pages[0].say(`Ada ${i}`);
    await pages[1].say(`Grace ${i}`);
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
  await page.say("line 0");
  await until("all hear the first line", () => all.every(({ heard }) => heard.includes("line 0")));
  const back = chat.kill((await serverOf(page)) === "server 1" ? "server 2" : "server 1"); // of one of the listeners
  for (let i = 1; i < 15; i++) await page.say(`line ${i}`);
  await until("all hear the last line", () => all.every(({ heard }) => heard.includes("line 14")), 30_000);
  for (const { heard } of all) expect(heard).toEqual(Array.from({ length: 15 }, (_, i) => `line ${i}`));
  left.abort();
  for (const { ended } of all) await ended;
  for (const conn of conns) await conn.close();
  await page.leave();
  await back;
});

test("a session goes on when its link returns, whichever server gets the link", async () => {
  const page = await enter("Ada", "links");
  await page.say("before");
  const server = await serverOf(page);
  await page.page.click("#break");
  await page.say("meanwhile");
  await page.sees("Link 2: the session goes on after");
  await page.sees("2 lines: none missing.");
  expect(await page.lines()).toEqual(["before", "meanwhile"]);
  expect(await serverOf(page)).toBe(server); // which owns the session
  await page.leave();
});

test("a server is killed while two people talk, and both see every line once and in the same order", async () => {
  const pages: [Person, Person] = [await enter("Ada"), await enter("Grace")];
  const [ada, grace] = pages;
  await ada.sees("In the room: 2");
  await grace.sees("In the room: 2");
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
      const counts = await Promise.all(pages.map(async (page) => (await page.lines()).length));
      return counts.every((n) => n >= whole.length);
    },
    30_000,
  );
  const lines = await ada.lines();
  expect([...lines].sort()).toEqual(whole);
  expect(await grace.lines()).toEqual(lines);
  for (const name of ["Ada", "Grace"]) {
    expect(lines.filter((l) => l.startsWith(name))).toEqual(each.map((i) => `${name} ${i}`));
  }
  for (const page of pages) {
    await page.sees("50 lines: none missing.");
    await page.sees("In the room: 2");
    expect(await page.texts("#outbox li")).toEqual([]);
  }
  expect(await serverOf(ada)).not.toBe(killed);
  await ada.sees("You are back. What was said");

  await back;
  const eve = await enter("Eve");
  const others = [eve, await enter("Carol"), await enter("Dan")];
  expect(await Promise.all(others.map(serverOf))).toContain(killed); // nginx gives it connections again
  expect(await eve.lines()).toEqual(lines);
  await ada.sees("In the room: 5");
  await ada.page.screenshot(join(files, "chat-servers.png"));
  for (const page of [...pages, ...others]) await page.leave();
});
