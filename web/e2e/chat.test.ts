import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Chat } from "../chat/test/chat.js";
import { Browser, files } from "./browser.js";

let browser: Browser;
let chat: Chat;
const errors: string[] = [];

beforeAll(async () => {
  chat = await Chat.start();
  browser = await Browser.start();
});
afterAll(async () => {
  await browser.stop();
  await chat.stop();
  expect(errors).toEqual([]);
});

/** Opens the page and enters a room, using only the keyboard. */
async function enter(name: string, room: string, url = chat.url): Promise<Page> {
  const page = await browser.open(url, errors);
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(room);
  await page.keyboard.press("Enter");
  await page.getByText(`# ${room}`).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

const shot = (page: Page, name: string) => page.screenshot({ path: join(files, `${name}.png`) });

test("two people lose nothing when the link breaks", async () => {
  const ada = await enter("Ada", "engines");
  const grace = await enter("Grace", "engines");
  await ada.getByText("Grace came").waitFor();
  await say(ada, "Do you think the engine can compose music?");
  await grace.getByText("compose music").waitFor();

  await grace.getByLabel("Message", { exact: true }).pressSequentially("Only if");
  await ada.getByText("Grace is typing").waitFor();
  await shot(ada, "chat-light");
  await say(grace, "Only if somebody tells it how.");
  await ada.getByText("tells it how").waitFor();

  const states = grace.evaluate(
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
  await grace.getByRole("button", { name: "Break the link" }).click();
  for (let i = 1; i <= 20; i++) await say(ada, `line ${i}`);
  for (let i = 1; i <= 5; i++) await say(grace, `and back ${i}`);
  await shot(grace, "chat-broken");
  expect(await states).toEqual(["Link lost, resuming", "Connected"]);
  await ada.getByText("and back 5").waitFor();
  await grace.getByText("line 20", { exact: true }).waitFor();
  const seen = (page: Page) => page.locator("#log .bubble p").evaluateAll((all) => all.map((p) => p.textContent));
  const lines = await seen(grace);
  expect(lines.filter((l) => l?.startsWith("line "))).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 1}`));
  expect(await seen(ada)).toEqual(lines);
  await grace.getByText("27 lines: none missing.").waitFor();
  await grace.getByText("Link 2: the session goes on after").waitFor();
  expect(await grace.locator("#links th").allTextContents()).toEqual(["2", "1"]);

  await grace.emulateMedia({ colorScheme: "dark" });
  await shot(grace, "chat-dark");
  await grace.setViewportSize({ width: 390, height: 780 });
  await shot(grace, "chat-phone");
  expect(await grace.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);

  await grace.getByText("Leave").click();
  await ada.getByText("Grace left").waitFor();
  await shot(grace, "chat-phone-enter");
  await ada.close();
  await grace.close();
});

test("what is said is never read as HTML", async () => {
  const ada = await enter("<i>Ada</i>", "markup");
  await say(ada, "<img src=x onerror=alert(1)>");
  await ada.getByText("<img src=x onerror=alert(1)>").waitFor();
  expect(await ada.locator("#chat img, #chat i").count()).toBe(0);
  await ada.close();
});

test("a restart is explained, and no line is lost", async () => {
  const own = await Chat.start();
  const page = await enter("Ada", "words", own.url);
  await say(page, "before");
  await page.getByText("1 line: none missing.").waitFor();
  await own.stop();
  await page.getByText("The server cannot be reached. The page keeps trying.").waitFor();
  await say(page, "meanwhile");
  await page.getByText("waits until you are back").waitFor();
  await shot(page, "chat-away");
  const again = await Chat.start(new URL(own.url).host);
  await page.getByText("Lines are missing here").waitFor();
  await page.getByText("2 lines: some missing.").waitFor();
  expect(await page.locator("#log .bubble p").allTextContents()).toEqual(["before", "meanwhile"]);
  await page.close();
  await again.stop();
});

test("a name that is taken is refused in words", async () => {
  const ada = await enter("Ada", "one");
  const again = await browser.open(chat.url, errors);
  await again.getByLabel("Your name").fill("Ada");
  await again.getByLabel("Room", { exact: true }).fill("one");
  await again.keyboard.press("Enter");
  await again.getByText('there is a "Ada" in room "one" already').waitFor();
  await ada.close();
  await again.close();
});
