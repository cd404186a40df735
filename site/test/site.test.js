// Opens every page of the built site in Chromium. External links are not fetched.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startChromium } from "../chromium.js";
import { groups, pageOf } from "../pages.js";
import { serveSite } from "../serve.js";

const phone = { width: 390, height: 844 };
const paths = groups.flatMap(({ pages }) => pages.map(({ source }) => `/${pageOf(source).replace(/\.md$/, ".html")}`));

let browser, server, origin;
/** What each page has, by its path. */
const seen = new Map();

before(async () => {
  ({ server, origin } = await serveSite());
  browser = await startChromium();
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

/** Opens a path with nothing but the site to load from; errors takes what goes wrong. */
async function open(context, path, errors) {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(`${path}: ${message.text()}`);
  });
  page.on("pageerror", (error) => errors.push(`${path}: ${error}`));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${path}: ${response.url()} is answered with ${response.status()}`);
  });
  await page.route("**", (route) => {
    const url = route.request().url();
    if (url.startsWith(`${origin}/`) || url.startsWith("data:")) return route.continue();
    errors.push(`${path}: loads ${url}`);
    return route.abort();
  });
  await page.goto(origin + path, { waitUntil: "networkidle" });
  await page.waitForFunction(() => document.querySelector("#app").__vue_app__); // it answers keys and clicks
  return page;
}

/** Returns the links and the anchors of a page, and what sticks out of it. */
function look(page) {
  return page.evaluate(() => ({
    title: document.title,
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    anchors: [...document.querySelectorAll("[id]")].map((e) => e.id),
    broken: [...document.images].filter((i) => !i.complete || i.naturalWidth === 0).map((i) => i.src),
    width: document.documentElement.scrollWidth,
    wide: [...document.querySelectorAll(".VPContent *")]
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
      .map((e) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 60)}`),
  }));
}

test("every page fits a phone and has no errors, in light and in dark", { timeout: 240_000 }, async () => {
  const context = await browser.newContext({ viewport: phone, colorScheme: "light" });
  const errors = [];
  for (const path of paths) {
    const page = await open(context, path, errors);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.locator(colorScheme === "dark" ? "html.dark" : "html:not(.dark)").waitFor();
      const found = await look(page);
      seen.set(path, found);
      if (found.title === "") errors.push(`${path} has no title`);
      for (const src of found.broken) errors.push(`${path}: no picture ${src}`);
      if (found.width > phone.width) errors.push(`${path} is ${found.width} px wide: ${found.wide.slice(0, 8).join("; ")}`);
    }
    await page.close();
  }
  await context.close();
  assert.deepEqual(errors, []);
});

test("every link within the site leads to a heading or a row that exists", () => {
  const dead = [];
  for (const [path, { links }] of seen) {
    for (const link of links) {
      const url = new URL(link);
      if (url.origin !== origin) continue;
      const target = url.pathname.endsWith("/") ? `${url.pathname}index.html` : url.pathname;
      const page = seen.get(target);
      const anchor = decodeURIComponent(url.hash.slice(1));
      if (!page || (anchor && !page.anchors.includes(anchor))) dead.push(`${path}: ${url.pathname}${url.hash}`);
    }
  }
  assert.ok(seen.size >= paths.length);
  assert.deepEqual([...new Set(dead)], []);
});

test("every page is reached from the first by following links", () => {
  const reached = new Set(["/index.html"]);
  for (const path of reached) {
    for (const link of seen.get(path)?.links ?? []) {
      const url = new URL(link);
      if (url.origin === origin) reached.add(url.pathname.endsWith("/") ? `${url.pathname}index.html` : url.pathname);
    }
  }
  assert.deepEqual(
    paths.filter((path) => !reached.has(path)),
    [],
  );
});

test("the search finds a page and opens it", { timeout: 60_000 }, async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const errors = [];
  const page = await open(context, "/guide.html", errors);
  await page.keyboard.press("/");
  await page.locator("#localsearch-input").fill("last_stream");
  await page.locator(".VPLocalSearchBox .result").first().waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/spec\/protocol\.html/);
  await context.close();
  assert.deepEqual(errors, []);
});

test("a reader switches between light and dark", { timeout: 60_000 }, async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  const errors = [];
  const page = await open(context, "/index.html", errors);
  const shown = () => page.locator("img:visible").evaluateAll((all) => all.map((i) => i.src));
  const light = await shown();
  await page.locator("button.VPSwitchAppearance").first().click();
  await page.locator("html.dark").waitFor();
  assert.equal((await shown()).length, light.length);
  assert.notDeepEqual(await shown(), light);
  await context.close();
  assert.deepEqual(errors, []);
});
