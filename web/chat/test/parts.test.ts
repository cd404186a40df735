import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SaidSchema } from "../../gen/parley/chat/v1/chat_pb.js";
import { Links } from "../src/links.js";
import { Numbers } from "../src/numbers.js";
import { MAX_LINES, Outbox } from "../src/outbox.js";
import { Tally } from "../src/tally.js";
import { Typist } from "../src/typist.js";
import { type Situation, words } from "../src/words.js";

describe("the outbox", () => {
  const states = (o: Outbox) => o.lines.map((l) => `${l.number} ${l.text} ${l.state}`);
  const taken = (o: Outbox) => o.take().map((l) => `${l.number} ${l.text}`);

  test("keeps each line until the room has said it", () => {
    const out = new Outbox();
    out.add("a");
    out.add("b");
    expect(taken(out)).toEqual(["1 a", "2 b"]);
    out.add("c");
    out.arrived(1);
    expect(states(out)).toEqual(["2 b sent", "3 c waiting"]);
    expect(taken(out)).toEqual(["3 c"]);
    out.arrived(3); // the one before was said, too
    expect(out.lines).toEqual([]);
  });

  test("sends lines of a lost call again, with their numbers", () => {
    const out = new Outbox();
    out.add("a");
    out.take();
    out.add("b");
    out.lost();
    expect(states(out)).toEqual(["1 a waiting", "2 b waiting"]);
    expect(taken(out)).toEqual(["1 a", "2 b"]);
  });

  test("is full at some time", () => {
    const out = new Outbox();
    for (let i = 0; i < MAX_LINES; i++) {
      expect(out.full).toBe(false);
      out.add(`${i}`);
    }
    expect(out.full).toBe(true);
  });
});

describe("the tally", () => {
  const said = { event: { case: "said" as const, value: create(SaidSchema) }, missed: 0n, missedMore: false };
  const gap = { event: { case: undefined }, missed: 0n, missedMore: true };

  test("says how many lines were shown, and how many are missing", () => {
    const tally = new Tally();
    expect(`${tally}`).toBe("No line was said yet.");
    expect(tally.record(said)).toBe(false);
    expect(`${tally}`).toBe("1 line: none missing.");
    expect(tally.record({ ...said, missed: 2n })).toBe(true);
    expect(`${tally}`).toBe("2 lines: 2 missing.");
  });

  test("does not claim to know how many, if the room does not", () => {
    const tally = new Tally();
    expect(tally.record(gap)).toBe(true);
    expect(`${tally}`).toBe("0 lines: some missing.");
    tally.record({ ...said, missed: 2n });
    expect(`${tally}`).toBe("1 line: 2 or more missing.");
  });
});

test("a line that is said again is told once", () => {
  const numbers = new Numbers();
  expect([1n, 2n, 2n, 1n, 3n].map((n) => numbers.add("ada", n))).toEqual([true, true, false, false, true]);
  expect(numbers.add("bob", 1n)).toBe(true);
  expect([numbers.add("eve", 0n), numbers.add("eve", 0n)]).toEqual([true, true]); // terminals have no numbers
});

describe("the links", () => {
  test("count their messages and report breaks", () => {
    const links = new Links();
    expect(links.update("connecting", 0)).toBeUndefined();
    expect(links.update("ready", 0)).toMatchObject({ link: { number: 1, state: "open" }, detachedMs: undefined });
    links.message();
    links.message();
    expect(links.update("resuming", 1000)).toMatchObject({ link: { number: 1, messages: 2, state: "lost" } });
    expect(links.update("ready", 4000)).toMatchObject({ link: { number: 2, messages: 0, state: "open" }, detachedMs: 3000 });
    links.message();
    expect(links.shown.map((l) => l.messages)).toEqual([2, 1]);
    expect(links.current).toBe(2);
  });

  test("of a new session report no time without a link", () => {
    const links = new Links();
    links.update("ready", 0);
    links.update("resuming", 1000);
    links.update("connecting", 2000);
    links.update("failed", 2000);
    expect(links.update("ready", 3000)?.detachedMs).toBeUndefined();
  });

  test("that are long over are added up", () => {
    const links = new Links();
    for (let i = 0; i < 20; i++) {
      links.update("ready", i);
      links.message();
      links.update("resuming", i);
    }
    expect(links.shown.map((l) => l.number)).toEqual([16, 17, 18, 19, 20]);
    expect(links.earlier).toEqual({ links: 15, messages: 15 });
  });
});

describe("the typist", () => {
  let told: boolean[];
  let typist: Typist;
  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
    typist = new Typist((typing) => told.push(typing));
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test("tells now and then while somebody types, and when they stop", () => {
    for (let i = 0; i < 40; i++) {
      typist.wrote("x");
      vi.advanceTimersByTime(100);
    }
    expect(told).toEqual([true, true]);
    vi.advanceTimersByTime(5000);
    expect(told).toEqual([true, true, false]);
  });

  test("tells when the text is taken back, and not when it is sent", () => {
    typist.wrote("x");
    typist.wrote("");
    typist.wrote("");
    expect(told).toEqual([true, false]);
    typist.wrote("y");
    typist.said();
    expect(told).toEqual([true, false, true]);
    typist.wrote("z");
    expect(told).toEqual([true, false, true, true]);
    typist.stop();
  });
});

test("the words say what is the matter", () => {
  const well: Situation = { state: "ready", failed: false, online: true, inside: true, nameTaken: false };
  const say = (part: Partial<Situation>) => {
    const { tone, badge, more } = words({ ...well, ...part });
    return `${tone}: ${badge}${more && ` - ${more}`}`;
  };
  expect(say({})).toBe("good: Connected");
  expect(say({ online: false })).toBe("good: Connected"); // the browser may be wrong
  expect(say({ inside: false })).toBe("busy: Entering");
  expect(say({ inside: false, nameTaken: true })).toBe(
    "busy: Coming back - The server still has your last visit. It forgets it soon.",
  );
  expect(say({ state: "connecting" })).toBe("busy: Connecting");
  expect(say({ state: "connecting", failed: true })).toBe("busy: Connecting - The server is away.");
  expect(say({ state: "resuming" })).toBe("busy: Link lost, resuming - The link broke. Another is on its way.");
  expect(say({ state: "resuming", online: false })).toBe("bad: Offline - This device has no network.");
  expect(say({ state: "failed" })).toBe("bad: Not connected - The server cannot be reached. The page keeps trying.");
  expect(say({ state: "idle" })).toBe("bad: Not connected");
});
