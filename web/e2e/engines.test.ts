import { afterEach, expect, inject, test, vi } from "vitest";
import { chosenEngines } from "../testing/engines/chosen.js";
import { startBrowser } from "./browser.js";

afterEach(() => vi.unstubAllEnvs());

const variable = { chromium: "CHROMIUM", firefox: "FIREFOX", webkit: "WEBKIT_DRIVER" }[inject("engine")];

test("a program that is missing is named, and how to get it", async () => {
  vi.stubEnv(variable, "/no/such/program");
  const { message } = (await Promise.resolve()
    .then(startBrowser)
    .catch((e) => e)) as Error;
  const engine = inject("engine");
  expect(message).toBe(`${engine}: there is no program /no/such/program: run make ${engine}, or set ${variable} to its path`);
});

test("ENGINES names the engines that run", () => {
  expect(chosenEngines("webkit, chromium")).toEqual(["chromium", "webkit"]);
  expect(chosenEngines("")).toEqual(["chromium", "firefox", "webkit"]);
  expect(() => chosenEngines("opera")).toThrow('ENGINES: there is no engine "opera": use one of chromium, firefox, webkit');
});
