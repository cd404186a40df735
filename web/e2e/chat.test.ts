import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Browser, files } from "./browser.js";

const root = join(import.meta.dirname, "../..");

let browser: Browser;
let server: ChildProcess;
let url = "";
const errors: string[] = [];

beforeAll(async () => {
  execFileSync("go", ["build", "-o", ".out/chat", "./examples/chat"], { cwd: root, stdio: "inherit" });
  server = spawn(join(root, ".out/chat"), ["server", "-addr", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout as NodeJS.ReadableStream })) {
    url = /^open +(.*)/.exec(line)?.[1] ?? "";
    if (url) break;
  }
  browser = await Browser.start();
});
afterAll(async () => {
  await browser.stop();
  server.kill();
  await once(server, "exit");
  expect(errors).toEqual([]);
});

/** Opens the page and enters a room, by the keyboard alone. */
async function enter(name: string, room: string): Promise<Page> {
  const page = await browser.open(url, errors);
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(room);
  await page.keyboard.press("Enter");
  await page.getByText(`# ${room}`).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}

const shot = (page: Page, name: string) => page.screenshot({ path: join(files, `${name}.png`) });

test("two people talk, see each other type, and lose nothing when the link is broken", async () => {
  const ada = await enter("Ada", "engines");
  const grace = await enter("Grace", "engines");
  await ada.getByText("Grace came").waitFor();
  await say(ada, "Do you think the engine can compose music?");
  await grace.getByText("compose music").waitFor();

  await grace.getByLabel("Message").pressSequentially("Only if");
  await ada.getByText("Grace is typing").waitFor();
  await shot(ada, "chat-light");
  await say(grace, "Only if somebody tells it how.");
  await ada.getByText("tells it how").waitFor();

  const states = grace.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        const seen: string[] = [];
        const badge = document.getElementById("badge") as HTMLElement;
        new MutationObserver(() => {
          seen.push(badge.textContent);
          if (badge.textContent === "ready") resolve(seen);
        }).observe(badge, { childList: true });
      }),
  );
  await grace.getByText("Break the link").click();
  for (let i = 1; i <= 20; i++) await say(ada, `line ${i}`);
  for (let i = 1; i <= 5; i++) await say(grace, `and back ${i}`);
  expect(await states).toEqual(["resuming", "ready"]);
  await ada.getByText("and back 5").waitFor();
  await grace.getByText("line 20").waitFor();
  const seen = (page: Page) =>
    page.locator("#lines li:not(.note)").evaluateAll((all) => all.map((li) => li.lastChild?.textContent));
  const lines = await seen(grace);
  expect(lines.filter((l) => l?.startsWith("line "))).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 1}`));
  expect(await seen(ada)).toEqual(lines);

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

test("a name that is taken is refused in words", async () => {
  const ada = await enter("Ada", "one");
  const again = await browser.open(url, errors);
  await again.getByLabel("Your name").fill("Ada");
  await again.getByLabel("Room").fill("one");
  await again.keyboard.press("Enter");
  await again.getByText('there is a "Ada" in room "one" already').waitFor();
  await ada.close();
  await again.close();
});
