import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { delayAfter } from "../src/backoff.js";
import { closeAction, LOST, standardCode } from "../src/closecode.js";
import { codeName } from "../src/code.js";

/** The table of PROTOCOL.md, section 12.3: code, callers see, the client reconnects. */
const table = readFileSync(new URL("../../../docs/spec/PROTOCOL.md", import.meta.url), "utf8")
  .split("### 12.3 Close codes")[1]!
  .split("- Scripts in a browser")[0]!
  .split("\n")
  .filter((line) => /^\| \d/.test(line))
  .flatMap((line) => {
    const [, codes, , see, , back] = line.split("|").map((cell) => cell.trim()) as string[];
    const behind = codes!.replace(" behind a final GOAWAY", "");
    return behind.split(", ").map((code) => ({ code, see: see!, back: back! }));
  })
  .filter(({ see }) => !see.startsWith("link lost")); // what an end alone does not say

const words: Record<string, string> = {
  "at once": "now",
  "after a random delay": "jittered",
  "with longer backoff": "overload",
};
const reconnectOf = (back: string) => words[back] ?? (back.startsWith("no") ? "never" : "backoff");

for (const { code, see, back } of table.filter((row) => /^\d+$/.test(row.code))) {
  test(`after ${code} callers see ${see}, and the client reconnects: ${back}`, () => {
    const { status, reconnect: got } = closeAction(standardCode(Number(code)));
    expect(codeName(status).toUpperCase()).toBe(see.replace(/,.*/, ""));
    expect(got).toBe(reconnectOf(back));
  });
}

test("codes of scripts stand for those that scripts cannot send", () => {
  for (let m = 1; m <= 15; m++) expect(standardCode(4100 + m)).toBe(1000 + m === 1005 ? LOST : 1000 + m);
  expect(standardCode(4000)).toBe(1000);
  expect(standardCode(1005)).toBe(LOST);
});

test("a refusal has its status, and stays closed unless it is UNAVAILABLE", () => {
  for (let n = 1; n <= 16; n++) {
    const { status, reconnect } = closeAction(4000 + n);
    expect(status).toBe(n);
    if (n !== 10) expect(reconnect).toBe(n === 14 ? "overload" : "never");
  }
});

test("delays double up to 10 s, or 60 s after an overload", () => {
  const bounds = (how: Parameters<typeof delayAfter>[0]) => [0, 1, 2, 6, 7, 50].map((n) => delayAfter(how, n, (bound) => bound));
  expect(bounds("backoff")).toEqual([100, 200, 400, 6400, 10_000, 10_000]);
  expect(bounds("now")).toEqual([0, 100, 200, 3200, 6400, 10_000]);
  expect(bounds("overload")).toEqual([1000, 2000, 4000, 60_000, 60_000, 60_000]);
  expect(bounds("jittered")).toEqual([5000, 5000, 5000, 5000, 6400, 10_000]);
});
