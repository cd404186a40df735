import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Chat } from "../chat/test/chat.js";
import type { Engine } from "../testing/engines/index.js";
import { files, startBrowser } from "./browser.js";
import { Person } from "./person.js";

let browser: Engine;
let chat: Chat;

beforeAll(async () => {
  [chat, browser] = await Promise.all([Chat.start(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await chat?.stop();
});

/** Opens the page and enters a room, using only the keyboard. */
async function enter(name: string, room: string, url = chat.url): Promise<Person> {
  const person = await Person.come(browser, url);
  await person.page.type(name);
  await person.page.press("Tab");
  await person.page.type(room);
  await person.page.press("Enter");
  await person.sees(`# ${room}`);
  return person;
}

const shot = ({ page }: Person, name: string) => page.screenshot(join(files, `${name}-${inject("engine")}.png`));

test("two people lose nothing when the link breaks", async () => {
  const ada = await enter("Ada", "engines");
  const grace = await enter("Grace", "engines");
  await ada.sees("Grace came");
  await ada.say("Do you think the engine can compose music?");
  await grace.sees("compose music");

  await grace.page.click("#text");
  await grace.page.type("Only if");
  await ada.sees("Grace is typing");
  await shot(ada, "chat-light");
  await grace.say("Only if somebody tells it how.");
  await ada.sees("tells it how");

  const states = grace.page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        const seen: string[] = [];
        const badge = document.getElementById("badge-text") as HTMLElement;
        new MutationObserver(() => {
          seen.push(badge.textContent);
          if (badge.textContent === "Connected") resolve(seen);
        }).observe(badge, { childList: true });
      }),
  );
  await grace.page.click("#break");
  for (let i = 1; i <= 20; i++) await ada.say(`line ${i}`);
  for (let i = 1; i <= 5; i++) await grace.say(`and back ${i}`);
  await shot(grace, "chat-broken");
  expect(await states).toEqual(["Link lost, resuming", "Connected"]);
  await ada.sees("and back 5");
  await grace.sees("line 20");
  const lines = await grace.lines();
  expect(lines.filter((l) => l.startsWith("line "))).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 1}`));
  expect(await ada.lines()).toEqual(lines);
  await grace.sees("27 lines: none missing.");
  await grace.sees("Link 2: the session goes on after");
  expect(await grace.texts("#links th")).toEqual(["2", "1"]);

  await grace.page.resize(390, 780);
  await shot(grace, "chat-phone");
  expect(await grace.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);

  await grace.page.click("#leave");
  await ada.sees("Grace left");
  await shot(grace, "chat-phone-enter");
  await ada.leave();
  await grace.leave();
});

test("what is said is never read as HTML", async () => {
  const ada = await enter("<i>Ada</i>", "markup");
  await ada.say("<img src=x onerror=alert(1)>");
  await ada.sees("<img src=x onerror=alert(1)>");
  expect(await ada.texts("#chat img, #chat i")).toEqual([]);
  await ada.leave();
});

test("a restart is explained, and no line is lost", async () => {
  const own = await Chat.start();
  const page = await enter("Ada", "words", own.url);
  await page.say("before");
  await page.sees("1 line: none missing.");
  await own.stop();
  await page.sees("The server cannot be reached. The page keeps trying.");
  await page.say("meanwhile");
  await page.sees("waits until you are back");
  await shot(page, "chat-away");
  const again = await Chat.start(new URL(own.url).host);
  await page.sees("Lines are missing here");
  await page.sees("2 lines: some missing.");
  expect(await page.lines()).toEqual(["before", "meanwhile"]);
  await page.leave();
  await again.stop();
});

test("a name that is taken is refused in words", async () => {
  const ada = await enter("Ada", "one");
  const again = await Person.come(browser, chat.url);
  await again.enter("Ada", "one");
  await again.sees('there is a "Ada" in room "one" already');
  await ada.leave();
  await again.leave();
});
