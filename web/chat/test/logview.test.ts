// @vitest-environment happy-dom
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { LogView, MAX_ENTRIES } from "../src/logview.js";
import { Outbox } from "../src/outbox.js";
import { showMembers, showTyping } from "../src/panel.js";

const html = readFileSync(join(import.meta.dirname, "../index.html"), "utf8");
const all = (selector: string) => [...document.querySelectorAll(selector)];
const texts = (selector: string) => all(selector).map((e) => e.textContent);

const at = new Date(2026, 0, 2, 3, 4);
let log: LogView;
beforeEach(() => {
  document.body.innerHTML = html.slice(html.indexOf("<body>") + 6, html.indexOf("</body>"));
  log = new LogView();
});

test("a long history is bounded", () => {
  for (let i = 1; i <= MAX_ENTRIES + 10; i++) log.said({ name: "ada", text: `line ${i}`, own: false, link: 1, at });
  const lines = texts("#log .bubble p");
  expect(lines.length).toBe(MAX_ENTRIES);
  expect(lines[0]).toBe("line 11");
});

test("names and lines are texts, whatever is in them", () => {
  const evil = "<img src=x onerror=alert(1)>";
  log.said({ name: evil, text: evil, own: false, link: 1, at });
  log.note(evil);
  log.outbox([{ number: 1, text: evil, state: "waiting" }]);
  showMembers([evil], "ada");
  showTyping([evil]);
  expect(all("#chat img").length).toBe(0);
  expect(texts("#log .who")).toEqual([evil]);
  expect(texts("#members li > :last-child")).toEqual([evil]);
  expect(texts("#typing")).toEqual([`${evil} is typing`]);
});

test("consecutive lines of one speaker show the name once", () => {
  for (const name of ["ada", "ada", "bob"]) log.said({ name, text: "x", own: false, link: 1, at });
  log.note("bob left");
  log.said({ name: "bob", text: "x", own: false, link: 2, at });
  expect(texts("#log .who")).toEqual(["ada", "bob", "bob"]);
  expect(texts("#log .unseen")).toEqual(["ada"]);
});

test("lines that are not said yet say why", () => {
  const out = new Outbox();
  out.add("a");
  out.take();
  out.add("b");
  log.outbox(out.lines);
  expect(texts("#outbox .meta")).toEqual(["on the way", "waits until you are back"]);
});

test("a line has the time at which it was said", () => {
  log.said({ name: "ada", text: "x", own: false, link: 1, at });
  expect(all("#log time").map((e) => e.getAttribute("datetime"))).toEqual([at.toISOString()]);
});

test("who types is said in words", () => {
  showTyping(["ada"]);
  expect(texts("#typing")).toEqual(["ada is typing"]);
  showTyping(["ada", "bob"]);
  expect(texts("#typing")).toEqual(["ada and bob are typing"]);
  showTyping(["ada", "bob", "eve"]);
  expect(texts("#typing")).toEqual(["Several people are typing"]);
  showTyping([]);
  expect(texts("#typing")).toEqual([""]);
});
