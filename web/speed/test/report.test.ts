import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { report } from "../src/report.js";
import type { Figure, Results } from "../src/results.js";
import { number, summarize } from "../src/summary.js";

const figures = (...rates: number[]): Figure[] => rates.map((rate) => ({ rate, cpu: 10 }));

const results: Results = {
  cpu: "a CPU",
  cores: 2,
  kernel: "Linux 1.2.3",
  versions: { Chromium: "1.2" },
  command: "make bench-browser",
  seconds: 0.5,
  engines: {
    chromium: {
      "unary-64": {
        "parley, WebSocket": figures(300, 5000, 1000),
        "connect-web, HTTP/1.1": figures(100, 1000, 300),
        "parley, WebSocket, TLS": figures(200, 200, 200),
        "connect-web, HTTP/2, TLS": figures(100, 100, 100),
      },
      "upload-64k": { "parley, WebSocket": figures(1000) },
    },
    firefox: { stream: { "parley, WebSocket": [{ rate: 500 }], "connect-web, HTTP/1.1": [{ rate: 250 }] } },
  },
  refusals: { "connect-web": "it cannot" },
  copied: { "upload-64k": { parley: 3.04 } },
};

test("the page of the documents is that of its raw figures", () => {
  const docs = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), "utf8");
  expect(docs("benchmarks-browser.md")).toBe(report(JSON.parse(docs("benchmarks/browser.json"))));
});

test("a ratio is the median of those within the rounds", () => {
  const page = report(results);
  const line = page.split("\n").find((l) => l.includes("to connect-web, HTTP/1.1 |"));
  // 3, 5 and 3.33: the medians themselves would give another one.
  expect(line).toContain("| 3.33x | met |");
  expect(page).toContain("| parley, WebSocket | 1,000 (300 .. 5,000) | 3.33x (3.00x .. 5.00x) | 10.0 (10.0 .. 10.0) |");
});

test("a bar that is missed is shown as missed", () => {
  expect(report(results)).toContain("to connect-web, HTTP/2, TLS | at least 3x | 2.00x | **missed** |");
});

test("what the reference cannot do has figures without a ratio", () => {
  const page = report(results);
  expect(page).toContain("| parley, WebSocket | 1,000 (1,000 .. 1,000) | 65.5 | - |");
  expect(page).toContain("| connect-web | it cannot |");
  expect(page).toContain("| one client stream, 64 KiB | 3.0 | - | - | - | - | - | - |");
});

test("another browser has figures of its own, without CPU time where it does not tell it", () => {
  const page = report(results);
  expect(page).toContain("## Side by side in Firefox");
  const [, figures] = page.split("## All figures: Firefox");
  expect(figures).toContain("| parley, WebSocket | 500 (500 .. 500) | 2.00x (2.00x .. 2.00x) |\n");
  expect(page).not.toContain("WebKitGTK");
});

test("the median of an even number of values is in the middle", () => {
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 });
  expect(summarize([7])).toEqual({ median: 7, least: 7, most: 7 });
});

test("numbers have three digits or more", () => {
  expect([0.126, 1.234, 9.996, 12.34, 99.96, 12345.6].map(number)).toEqual(["0.13", "1.23", "10.0", "12.3", "100", "12,346"]);
});
