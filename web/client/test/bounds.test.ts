// What a server can make this end keep or do, however hostile it is. Sizes are such that work which grows with their square
// would take minutes.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { LOST } from "../src/closecode.js";
import { Code } from "../src/code.js";
import { proto } from "../src/codec.js";
import type { Connection } from "../src/connection.js";
import { ParleyError } from "../src/error.js";
import { encodeFields, type Field, lookup, parseFields } from "../src/fields.js";
import * as f from "../src/frame.js";
import { LIMIT } from "../src/frame.js";
import { httpError } from "../src/handshake.js";
import { retryAfter, retryLater, retryPolicy } from "../src/index.js";
import { statusError } from "../src/serverwire.js";
import { Services } from "../src/service.js";
import { MAX_TIMEOUT, Timer } from "../src/timer.js";
import { concat, cut, fromUTF8, utf8 } from "../src/varint.js";
import { SessionHarness, settle } from "./harness.js";

const NUMBER = Number.MAX_SAFE_INTEGER;

let alone: SessionHarness;
afterEach(() => alone?.end());

const sendHello = (...fields: Field[]) => alone.receive(f.encodeFrame(f.HELLO, 0, encodeFields(fields)));
const data = (id: number, bytes: number[], more = 0) => f.encodeFrame(f.DATA | more, id, Uint8Array.from(bytes));

/** How many bytes of memory are in use, garbage not included. */
function inUse(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Sends the same frame many times, in link messages as large as they may be. */
async function flood(frame: Uint8Array, times: number): Promise<void> {
  const most = Math.floor(16_384 / frame.length);
  const batch = concat(Array.from({ length: most }, () => frame));
  for (let left = times; left > 0 && !alone.wire.ended; left -= most) {
    alone.session.receive(batch.slice(0, Math.min(left, most) * frame.length).buffer);
    if ((times - left) % (64 * most) === 0) await settle();
    alone.wire.frames = [];
  }
  await settle();
}

describe("refusals", () => {
  const refuse = async (most: number) => {
    let refused = 0;
    for (let id = 2; id <= 2 * most && !alone.wire.ended; id += 2, refused++) {
      await alone.receive(f.encodeFrame(f.OPEN, id, new Uint8Array()));
    }
    return refused;
  };

  test("that the server does not read are bounded, and the session is closed with 4008", async () => {
    alone = new SessionHarness();
    await sendHello();
    alone.wire.bufferedAmount = 1 << 20;
    const most = ((64 << 10) + 64 * 16) / 9; // bytes, of which each takes 9 at least
    expect(await refuse(2 * most)).toBeLessThan(most);
    expect(alone.wire.closed).toBe(4008);
    expect(alone.events.at(-1)).toMatch(/^over 4008 resource_exhausted: the peer does not read/);
  });

  test("that it reads are as many as it likes", async () => {
    alone = new SessionHarness();
    await sendHello();
    expect(await refuse(20_000)).toBe(20_000);
    expect(alone.wire.closed).toBeUndefined();
    expect(alone.wire.takeFrames().filter((t) => t.startsWith("RESET")).length).toBe(20_000 - 16);
  });

  test("do not count what this end has given up by itself", async () => {
    alone = new SessionHarness();
    await sendHello([8, 20_000]);
    const streams = Array.from({ length: 20_000 }, () => alone.session.open(() => new Uint8Array()));
    await settle();
    alone.wire.bufferedAmount = 1 << 20;
    for (const s of streams) s.reset(LIMIT, new ParleyError("x".repeat(100), Code.ResourceExhausted));
    await refuse(100);
    expect(alone.wire.closed).toBeUndefined();
  });
});

describe("a message", () => {
  test("in pieces of one byte costs little more than its bytes", async () => {
    alone = new SessionHarness({ maxMessage: 1 << 20, initialWindow: 1 << 26 });
    await sendHello();
    const stream = alone.session.open(() => new Uint8Array());
    await settle();
    const size = 100_000;
    const before = inUse();
    await flood(data(1, [7], f.FLAG_MORE), size - 1);
    expect(inUse() - before).toBeLessThan(4 * size);
    await alone.receive(data(1, [7]));
    expect((await stream.next())?.bytes).toEqual(new Uint8Array(size).fill(7));
  });

  test("in pieces of all sizes arrives as it was sent", async () => {
    alone = new SessionHarness({ maxMessage: 1 << 22, initialWindow: 1 << 26 });
    await sendHello();
    const stream = alone.session.open(() => new Uint8Array());
    await settle();
    const sizes = Array.from({ length: 400 }, (_, i) => 1 + ((i * i * 31) % (i % 7 ? 50 : 5000)));
    const pieces = sizes.map((n, i) => Array.from({ length: n }, (_, j) => (i + j) % 251));
    for (const [i, piece] of pieces.entries()) await alone.receive(data(1, piece, i + 1 < pieces.length ? f.FLAG_MORE : 0));
    expect((await stream.next())?.bytes).toEqual(Uint8Array.from(pieces.flat()));
  });
});

describe("work is linear", () => {
  test("in messages that are not read", async () => {
    alone = new SessionHarness({ initialWindow: 1 << 26 });
    await sendHello();
    const stream = alone.session.open(() => new Uint8Array());
    await settle();
    await flood(data(1, []), 300_000);
    for (let i = 0; i < 300_000; i++) await stream.next();
    expect(stream.unread).toBe(false);
  });

  test("in the header that names versions", () => {
    const names = `${" ".repeat(1_000_000)}x , parley.v1 ,parley.v9`;
    expect(httpError(404, (name) => (name === "parley-versions" ? names : "")).rawMessage).toMatch(/^not a WebSocket endpoint/);
    const others = httpError(404, (name) => (name === "parley-versions" ? " ".repeat(1_000_000) : ""));
    expect(others.code).toBe(Code.Unimplemented);
  });

  test("in a text that is cut, between two characters", () => {
    const wrong = "\ufffd".repeat(1_000_000);
    expect(cut(`${wrong}xyz`, 3_000_001)).toBe(`${wrong}x`);
    expect(cut(`${wrong}x`, 2999)).toBe("\ufffd".repeat(999));
    const wants = { 10: "aä€😀", 9: "aä€", 6: "aä€", 5: "aä", 2: "a", 0: "" };
    for (const [n, want] of Object.entries(wants)) expect(cut("aä€😀z", Number(n))).toBe(want);
  });
});

describe("texts of the server", () => {
  test("are no patterns of the status that a method ends with", () => {
    const inner = new ParleyError("$&$`$'".repeat(100), Code.NotFound);
    const outer = new Error(`lookup: ${inner.message}`, { cause: inner });
    expect(statusError(outer)?.rawMessage).toBe(`lookup: ${inner.rawMessage}`);
  });

  test("that name what is not here are echoed in part", async () => {
    alone = new SessionHarness();
    await sendHello();
    const services = new Services({ settings: alone.session.settings, codec: proto } as unknown as Connection);
    services.add(PingService, { ping: () => ({}) });
    const [ours, long] = [utf8(`${PingService.typeName}/Ping`), utf8("x".repeat(3000))];
    const cases: [answer: RegExp, ...fields: Field[]][] = [
      [/^unknown method x{128}$/, [1, long]],
      [/^unknown codec x{128}:/, [1, ours], [3, long]],
      [/^unknown compression x{128}:/, [1, ours], [5, long]],
    ];
    for (const [i, [answer, ...fields]] of cases.entries()) {
      const header = encodeFields(fields);
      await alone.receive(f.encodeFrame(f.OPEN, 2 + 2 * i, header));
      services.accept(alone.opened.at(-1)!, header);
      await settle();
      expect(fromUTF8(lookup(parseFields(alone.wire.frames.at(-1)!.payload, []))(1))).toMatch(answer);
    }
  });
});

describe("a time that the server gives", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("that is longer than a timer can be does not end at once", async () => {
    for (const ms of [MAX_TIMEOUT + 1, 2 ** 32, NUMBER, Number.POSITIVE_INFINITY]) {
      let ended = false;
      new Timer().start(ms, () => {
        ended = true;
      });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(ended, `${ms}`).toBe(false);
      vi.clearAllTimers();
    }
  });

  test("to resume in does not lose the session at once", async () => {
    alone = new SessionHarness({ resumeWindow: NUMBER });
    await sendHello([14, NUMBER], [1, new Uint8Array(16)], [3, new Uint8Array(32)]);
    alone.session.linkClosed(LOST, "");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(alone.session.detached).toBe(true);
  });

  test("to make a call again after is kept, or the call is not made again", () => {
    const error = retryLater(NUMBER);
    expect(retryAfter(error)).toBe(315_576_000_000_000);
    const policy = { maxAttempts: 2, codes: [Code.Unavailable], initialBackoffMs: 0 };
    expect(retryPolicy({ ...policy, maxBackoffMs: 1000 }).spend(error, 1)).toBeUndefined();
    expect(retryPolicy({ ...policy, maxBackoffMs: Number.POSITIVE_INFINITY }).spend(error, 1)).toBe(315_576_000_000_000);
  });
});
