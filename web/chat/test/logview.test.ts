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

let log: LogView;
let pressed: string[];
beforeEach(() => {
  document.body.innerHTML = html.slice(html.indexOf("<body>") + 6, html.indexOf("</body>"));
  pressed = [];
  log = new LogView({ resend: (id) => pressed.push(`again ${id}`), drop: (id) => pressed.push(`drop ${id}`) });
});

test("a long history is bounded", () => {
  for (let i = 1; i <= MAX_ENTRIES + 10; i++) log.said({ name: "ada", text: `line ${i}`, own: false, link: 1 });
  const lines = texts("#log .bubble p");
  expect(lines.length).toBe(MAX_ENTRIES);
  expect(lines[0]).toBe("line 11");
});

test("names and lines are texts, whatever is in them", () => {
  const evil = "<img src=x onerror=alert(1)>";
  log.said({ name: evil, text: evil, own: false, link: 1 });
  log.note(evil);
  log.outbox([{ id: 1, text: evil, state: "waiting" }]);
  showMembers([evil], "ada");
  showTyping([evil]);
  expect(all("#chat img").length).toBe(0);
  expect(texts("#log .who")).toEqual([evil]);
  expect(texts("#members li > :last-child")).toEqual([evil]);
  expect(texts("#typing")).toEqual([`${evil} is typing`]);
});

test("consecutive lines of one speaker show the name once", () => {
  for (const name of ["ada", "ada", "bob"]) log.said({ name, text: "x", own: false, link: 1 });
  log.note("bob left");
  log.said({ name: "bob", text: "x", own: false, link: 2 });
  expect(texts("#log .who")).toEqual(["ada", "bob", "bob"]);
  expect(texts("#log .unseen")).toEqual(["ada"]);
});

test("who has to decide about a line gets buttons, and only they", () => {
  const out = new Outbox();
  out.add("a");
  out.take();
  out.lost();
  out.add("b");
  log.outbox(out.lines);
  const buttons = all("#outbox button") as HTMLButtonElement[];
  expect(buttons.map((b) => b.textContent)).toEqual(["Send again", "Drop"]);
  for (const b of buttons) b.click();
  expect(pressed).toEqual(["again 1", "drop 1"]);
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
