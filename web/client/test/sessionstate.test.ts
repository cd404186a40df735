// What a session is composed of, each part by itself.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Code } from "../src/code.js";
import { Drain, drainSignal } from "../src/drain.js";
import { ParleyError } from "../src/error.js";
import type { Goaway } from "../src/goaway.js";
import { NO_LAST_STREAM } from "../src/goaway.js";
import { protocolDefaults } from "../src/hello.js";
import { Keepalive } from "../src/keepalive.js";
import { Received } from "../src/received.js";
import { Resumption } from "../src/resumption.js";
import { RoundTrip } from "../src/roundtrip.js";
import type { Stream } from "../src/stream.js";
import { StreamTable } from "../src/streamtable.js";
import { Timer } from "../src/timer.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("Timer", () => {
  test("runs one thing at a time, and can be started again", () => {
    const calls: string[] = [];
    const timer = new Timer();
    timer.start(10, () => calls.push("first"));
    timer.start(1, () => calls.push("second"));
    expect(timer.running).toBe(true);
    vi.advanceTimersByTime(10);
    expect(timer.running).toBe(false);
    timer.start(1, () => calls.push("third"));
    timer.stop();
    vi.advanceTimersByTime(10);
    expect(calls).toEqual(["first"]);
  });
});

describe("Received", () => {
  const MIB = 1 << 20;

  test("owes an acknowledgement by age or by size", () => {
    const received = new Received();
    expect(received.due(0)).toBe(false);
    received.add(10, 1000, 400);
    expect([received.due(1499), received.due(1500)]).toEqual([false, true]);
    expect(received.ack()).toBe(1);
    expect(received.owed).toBe(false);
    received.add(99, 2000, 400);
    expect(received.due(2000)).toBe(false);
    received.add(1, 2000, 400);
    expect(received.due(2000)).toBe(true);
  });

  test("owes one at once for 64 KiB, soon for 8 KiB, and late for small calls", () => {
    const received = new Received();
    received.add(8191, 1000, MIB);
    expect([received.due(1499), received.due(1500)]).toEqual([false, true]);
    received.add(1, 1200, MIB);
    expect([received.due(1204), received.due(1205)]).toEqual([false, true]);
    received.add(50_000, 1202, MIB);
    expect([received.due(1204), received.due(1205)]).toEqual([false, true]);
    received.add(8000, 1203, MIB);
    expect(received.due(1203)).toBe(true);
    received.ack();
    received.add(1, 1203, MIB);
    expect([received.due(1702), received.due(1703)]).toEqual([false, true]);
  });

  test("schedules one flush, which an earlier acknowledgement cancels", () => {
    const received = new Received();
    const flush = vi.fn();
    received.schedule(flush, 0);
    expect(vi.getTimerCount()).toBe(0);
    received.add(1, 0, MIB);
    received.schedule(flush, 0);
    received.schedule(flush, 0);
    vi.advanceTimersByTime(499);
    expect(flush).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(1);
    expect(flush).toHaveBeenCalledTimes(1);
    expect(received.due(0)).toBe(true); // even if the timer was early
    received.ack();
    received.add(1, 500, MIB);
    received.schedule(flush, 500);
    received.ack();
    vi.advanceTimersByTime(500);
    expect(flush).toHaveBeenCalledTimes(1);
  });

  test("flushes sooner once more has arrived", () => {
    const received = new Received();
    const flush = vi.fn();
    received.add(1, 0, MIB);
    received.schedule(flush, 0);
    received.add(9000, 100, MIB);
    received.schedule(flush, 100);
    vi.advanceTimersByTime(5);
    expect(flush).toHaveBeenCalledTimes(1);
    received.ack();
  });

  test("is due at once when expedited", () => {
    const received = new Received();
    received.add(1, Date.now(), MIB);
    received.expedite();
    expect(received.due(Date.now())).toBe(true);
  });
});

describe("Drain", () => {
  const goaway = (lastStream: number, status = 0): Goaway => ({ lastStream, status, delay: 0, reason: "deploy", address: "" });

  test("a notice of the peer aborts the signal and leaves opening allowed", () => {
    const drain = new Drain();
    const signal = drainSignal(drain);
    drain.receive(goaway(NO_LAST_STREAM));
    expect([signal.aborted, drain.canOpen, drain.canClose]).toEqual([true, true, false]);
    drain.stop();
    expect([drain.canOpen, drain.canClose]).toEqual([false, false]); // the peer may still open streams
    drain.receive(goaway(4));
    expect(drain.canClose).toBe(true);
  });

  test("a GOAWAY must not raise the last stream", () => {
    const drain = new Drain();
    drain.receive(goaway(4));
    expect(() => drain.receive(goaway(6))).toThrow("rule A6");
  });

  test("a GOAWAY with a status is the cause of the end", () => {
    const drain = new Drain();
    expect(drain.receive(goaway(0)).code).toBe(Code.Unavailable);
    expect(drain.cause).toBeUndefined();
    expect(drain.receive(goaway(0, Code.ResourceExhausted))).toBe(drain.cause);
    expect(drain.cause?.message).toBe("resource_exhausted: the peer sent GOAWAY: deploy");
  });

  test("stops once, and a signal made afterwards is aborted", () => {
    const drain = new Drain();
    expect([drain.stop(), drain.stop()]).toEqual([true, false]);
    expect(drainSignal(drain).aborted).toBe(true);
  });
});

describe("Keepalive", () => {
  const watch = () => {
    const seen: string[] = [];
    const roundTrip = new RoundTrip();
    const keepalive = new Keepalive(
      roundTrip,
      () => seen.push("ping"),
      (why) => seen.push(why),
    );
    return { seen, keepalive, roundTrip };
  };

  test("loses a link without a HELLO", () => {
    const { seen, keepalive } = watch();
    keepalive.start();
    vi.advanceTimersByTime(10_000);
    expect(seen).toEqual(["no HELLO in time"]);
  });

  test("pings a silent link, and loses it without an answer", () => {
    const { seen, keepalive } = watch();
    keepalive.start();
    keepalive.helloReceived(15_000);
    vi.advanceTimersByTime(14_000);
    keepalive.touch();
    vi.advanceTimersByTime(14_999);
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen).toEqual(["ping"]);
    vi.advanceTimersByTime(10_000);
    expect(seen).toEqual(["ping", "no PONG in time"]);
  });

  test("reports a PONG once to the latest probe, and none of a link that ended", () => {
    const { seen, keepalive } = watch();
    const alive = (name: string) => () => seen.push(name);
    keepalive.start();
    keepalive.helloReceived(15_000);
    keepalive.probe(5000, alive("first"));
    keepalive.probe(5000, alive("second"));
    keepalive.probe(5000);
    keepalive.pong();
    keepalive.pong();
    expect(seen).toEqual(["ping", "ping", "ping", "second"]);
    keepalive.probe(5000, alive("third"));
    keepalive.stop();
    keepalive.pong();
    expect(seen.at(-1)).toBe("ping");
  });

  test("measures the round trip by the HELLOs, and by a PONG that was asked for", () => {
    const { keepalive, roundTrip } = watch();
    keepalive.start();
    vi.advanceTimersByTime(80);
    keepalive.touch();
    keepalive.helloReceived(25_000);
    expect(roundTrip.estimate).toBe(80);
    keepalive.pong(); // no caller has asked
    expect(roundTrip.estimate).toBe(80);
    vi.advanceTimersByTime(9_920);
    expect(roundTrip.begin(Date.now())).toBe(true);
    vi.advanceTimersByTime(30);
    keepalive.touch();
    keepalive.pong();
    expect(roundTrip.estimate).toBe(30);
    keepalive.stop();
  });
});

describe("RoundTrip", () => {
  test("is the smaller one of the last two measurements of a link", () => {
    const roundTrip = new RoundTrip();
    const measure = (at: number, ms: number) => {
      expect(roundTrip.begin(at)).toBe(true);
      expect(roundTrip.begin(at + 20_000)).toBe(false); // it has begun
      roundTrip.end(at + ms);
      expect(roundTrip.begin(at + 9_999)).toBe(false); // it is young
      return roundTrip.estimate;
    };
    roundTrip.start(0);
    roundTrip.end(100);
    expect(roundTrip.estimate).toBe(100);
    expect([measure(10_000, 150), measure(20_000, 130), measure(30_000, 140)]).toEqual([100, 130, 130]);
    roundTrip.end(30_001); // no caller has asked
    expect(roundTrip.estimate).toBe(130);
    roundTrip.start(40_000);
    roundTrip.end(40_300);
    expect(roundTrip.estimate).toBe(300); // of the new link
  });
});

describe("Resumption", () => {
  const hello = {
    settings: protocolDefaults(),
    session: new Uint8Array(16),
    token: new Uint8Array(32),
    received: 0,
    resumed: undefined,
  };

  test("asks for nothing until a session is named, then counts its attempts", () => {
    const resumption = new Resumption(65_536);
    expect(resumption.request()).toBeUndefined();
    expect([resumption.enabled, resumption.requested]).toEqual([false, false]);
    resumption.start(hello, 30_000);
    resumption.received.add(1, 0, 65_536);
    expect(resumption.request()).toMatchObject({ received: 1, attempt: 1 });
    expect(resumption.request()).toMatchObject({ received: 1, attempt: 2 });
    expect([resumption.enabled, resumption.requested]).toEqual([true, true]);
    resumption.received.stop();
  });

  test("is off where either end wants no window", () => {
    const resumption = new Resumption(65_536);
    resumption.start(hello, 0);
    expect([resumption.enabled, resumption.ref]).toEqual([false, undefined]);
  });

  test("refuses another session, and a count beyond what was sent", () => {
    const resumption = new Resumption(65_536);
    resumption.start(hello, 30_000);
    expect(() => resumption.resume({ ...hello, session: new Uint8Array(17) })).toThrow("rule N7");
    expect(() => resumption.resume({ ...hello, received: 1 })).toThrow("rule A8");
  });

  test("expires while detached, unless a link comes first", () => {
    const resumption = new Resumption(65_536);
    const expire = vi.fn();
    resumption.expiry.start(1000, expire);
    resumption.expiry.stop();
    vi.advanceTimersByTime(1000);
    expect(expire).not.toHaveBeenCalled();
    resumption.expiry.start(1000, expire);
    resumption.expiry.start(5000, expire);
    vi.advanceTimersByTime(1000);
    expect(expire).toHaveBeenCalledTimes(1);
  });

  test("sends what was missed again, in order", () => {
    const resumption = new Resumption(65_536);
    const { replay } = resumption;
    resumption.start(hello, 30_000);
    const frames = [1, 2, 3, 4].map((n) => new Uint8Array(n));
    const missed = () => {
      const all: number[] = [];
      for (let f = replay.next(0); f; f = replay.next(0)) all.push(f.length);
      return all;
    };
    for (const f of frames) replay.push(f, 0);
    expect(missed()).toEqual([]);
    resumption.resume({ ...hello, received: 1, resumed: 1 });
    expect(replay.next(0)).toBe(frames[1]);
    replay.ack(2, 0); // of what was sent again
    expect(missed()).toEqual([3, 4]);
    expect([missed(), replay.bytes]).toEqual([[], 7]);
    resumption.resume({ ...hello, received: 2, resumed: 1 });
    replay.ack(3, 0); // of what was not: a peer that lies does not stop the rest
    expect(missed()).toEqual([4]);
    expect(() => resumption.resume({ ...hello, received: 5, resumed: 1 })).toThrow("rule A8");
  });
});

describe("StreamTable", () => {
  const stream = (waitForReady = false, local = true) => {
    const failed: string[] = [];
    const s = {
      id: 0,
      waitForReady,
      makeHeader: local ? () => new Uint8Array() : undefined,
      start: (id: number) => {
        s.id = id;
      },
      fail: (error: ParleyError, unprocessed: boolean) => failed.push(`${error.rawMessage} ${unprocessed}`),
      failed,
    };
    return s as typeof s & Stream;
  };
  const error = new ParleyError("lost", Code.Unavailable);

  test("numbers local streams and counts both kinds", () => {
    const table = new StreamTable();
    const [a, b, c] = [stream(), stream(), stream(false, false)];
    table.openPending(a);
    table.openPending(b);
    table.checkRemote(2);
    table.accept(c, 2);
    expect([a.id, b.id, c.id, table.local, table.remote]).toEqual([1, 3, 2, 2, 1]);
    expect([1, 2, 3, 4, 5].map((id) => table.wasOpened(id))).toEqual([true, true, true, false, false]);
    expect([table.delete(a), table.delete(a), table.delete(c)]).toEqual([true, false, true]);
    expect([table.local, table.remote, table.size]).toEqual([1, 0, 1]);
  });

  test("refuses remote ids that are odd or not higher", () => {
    const table = new StreamTable();
    table.checkRemote(4);
    expect(() => table.checkRemote(7)).toThrow("rule S1");
    expect(() => table.checkRemote(4)).toThrow("rule S2");
  });

  test("fails local streams above the last as unprocessed", () => {
    const table = new StreamTable();
    const [a, b, c] = [stream(), stream(), stream(false, false)];
    table.openPending(a);
    table.openPending(b);
    table.accept(c, 4);
    table.failAbove(error, 1);
    expect([a.failed, b.failed, c.failed]).toEqual([[], ["lost true"], []]);
    table.failOpen(error, NO_LAST_STREAM);
    expect([a.failed, c.failed]).toEqual([["lost false"], ["lost false"]]);
  });

  test("hands over the pending streams, or only those that wait", () => {
    const table = new StreamTable();
    const [fast, waiting] = [stream(), stream(true)];
    table.pending.add(fast).add(waiting);
    table.failPending(error, false);
    expect([fast.failed, waiting.failed]).toEqual([["lost false"], []]);
    expect(table.takePending(true)).toEqual([waiting]);
    expect(table.takePending(false)).toEqual([fast]);
    expect(table.size).toBe(0);
  });
});
