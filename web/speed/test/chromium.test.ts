import { expect, test } from "vitest";
import { Chromium } from "../src/chromium.js";

test("a missing browser is an error", async () => {
  const browser = await Chromium.start("/nonexistent");
  await expect(browser.open("about:blank")).rejects.toThrow("Chromium: spawn /nonexistent ENOENT");
  await expect(browser.version()).rejects.toThrow("ENOENT");
  await browser.close();
});

test("what a browser has said that ends at once is in the error", async () => {
  const browser = await Chromium.start(process.execPath);
  await expect(browser.version()).rejects.toThrow("bad option: --headless");
  await browser.close();
});
