// Takes the picture of the README: two pages of the chat, one of which has lost its link.
// It runs in both color schemes and writes docs/pictures/chat-light.webp and chat-dark.webp.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startChromium } from "./chromium.js";
import { repository } from "./pages.js";

// The second page is wide enough to show its panel, with the button that breaks the link.
const height = 560;
const widths = { ada: 400, grace: 790 };
const folder = join(repository, "docs/pictures");

/** Starts the chat on a free port, and returns its process and the address of its page. */
async function startChat() {
  const program = join(repository, ".out/chat");
  execFileSync("go", ["build", "-o", program, "./examples/chat"], { cwd: repository, stdio: "inherit" });
  const server = spawn(program, ["server", "-addr", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /^open +(.*)/.exec(line)?.[1];
    if (url) return { server, url };
  }
  throw new Error("the server of the chat has ended");
}

async function enter(context, url, name, width) {
  const page = await context.newPage();
  await page.setViewportSize({ width, height });
  await page.clock.install();
  await page.goto(url);
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Room", { exact: true }).fill("engines");
  await page.keyboard.press("Enter");
  await page.getByText("# engines").waitFor();
  return page;
}

async function say(page, ...lines) {
  for (const line of lines) {
    await page.getByLabel("Message", { exact: true }).fill(line);
    await page.keyboard.press("Enter");
  }
}

/** Has two people talk, breaks the link of one, and returns what both pages show while it is broken. */
async function conversation(browser, url, colorScheme) {
  const context = await browser.newContext({ colorScheme, deviceScaleFactor: 2, reducedMotion: "reduce" });
  const ada = await enter(context, url, "Ada", widths.ada);
  const grace = await enter(context, url, "Grace", widths.grace);
  await say(ada, "Will a call end when its link breaks?");
  await grace.getByText("when its link breaks").waitFor();
  await say(grace, "Watch: I break mine now.");
  await ada.getByText("I break mine").waitFor();
  await grace.getByRole("button", { name: "Break the link" }).click();
  // The page's clock stands still, so that the link stays broken however slow the machine is.
  await grace.clock.pauseAt((await grace.evaluate(() => Date.now())) + 100);
  await say(grace, "This line waits.", "So does this one.");
  await grace.clock.runFor(300);
  await grace.getByText("Link lost, resuming").waitFor();
  const right = await grace.screenshot();
  await say(ada, "This one comes later, in order.");
  await ada.getByText("comes later").waitFor();
  const left = await ada.screenshot();
  await context.close();
  return [
    { png: left, width: widths.ada },
    { png: right, width: widths.grace },
  ];
}

/** Puts two screenshots side by side, and returns the picture as WebP. */
async function compose(browser, shots) {
  const size = { width: widths.ada + widths.grace + 12, height };
  const page = await browser.newPage({ viewport: size, deviceScaleFactor: 1.5 });
  const img = ({ png, width }) => `<img src="data:image/png;base64,${png.toString("base64")}" width="${width}">`;
  await page.setContent(`<style>
    body { margin: 0; display: flex; gap: 12px }
    img { border-radius: 8px; border: 1px solid #8888; box-sizing: border-box }
  </style>${shots.map(img).join("")}`);
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setDefaultBackgroundColorOverride", { color: { r: 0, g: 0, b: 0, a: 0 } });
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 80 });
  await page.close();
  return Buffer.from(data, "base64");
}

const browser = await startChromium();
mkdirSync(folder, { recursive: true });
try {
  for (const scheme of ["light", "dark"]) {
    const { server, url } = await startChat(); // a new one, in which no name is taken
    try {
      const shots = await conversation(browser, url, scheme);
      writeFileSync(join(folder, `chat-${scheme}.webp`), await compose(browser, shots));
    } finally {
      server.kill();
    }
  }
} finally {
  await browser.close();
}
