import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hex } from "../../testing/vectors.js";
import { Code } from "../src/code.js";
import { ParleyError } from "../src/error.js";
import { encodeFields, type Field } from "../src/fields.js";
import { encodeFrame } from "../src/frame.js";
import { SessionHarness, settle, Wire } from "./harness.js";

const session = new Uint8Array(16).fill(0xaa);
const token = (n: number) => new Uint8Array(32).fill(n);
const hello = (...fields: Field[]) => encodeFrame(1, 0, encodeFields(fields));
const kept: Field[] = [
  [14, 30_000],
  [1, session],
  [3, token(1)],
];
const granted = (received: number, ...more: Field[]) =>
  hello([14, 30_000], [1, session], [3, token(2)], [18, received], [20, 1], ...more);
const pong = encodeFrame(10, 0, new Uint8Array(8));
const open = () => new Uint8Array();

let alone: SessionHarness;
beforeEach(() => {
  vi.useFakeTimers();
  alone = new SessionHarness({ resumeWindow: 30_000 });
});
afterEach(() => {
  alone.end();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const names = () => alone.wire.takeFrames("ACK").map((t) => t.split(" ").slice(0, 2).join(" "));

describe("liveness", () => {
  test("a peer that sends anything gets no PING", async () => {
    await alone.receive(hello());
    alone.wire.takeFrames();
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(24_000);
      await alone.receive(encodeFrame(0x8d, 9, new Uint8Array(3))); // an ignorable frame is enough
    }
    expect(alone.wire.takeFrames()).toEqual([]);
    expect(alone.events).toEqual(["ready"]);
  });

  test("the smaller keepalive of both ends is in force", async () => {
    await alone.receive(hello([12, 2000]));
    alone.wire.takeFrames();
    await vi.advanceTimersByTimeAsync(1999);
    expect(alone.wire.takeFrames()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(alone.wire.takeFrames()).toEqual(["PING 0000000000000000"]);
    await vi.advanceTimersByTimeAsync(2000); // and bounds the wait for the answer
    expect(alone.events.at(-1)).toMatch(/no PONG in time/);
  });

  test("a peer that answers late, but in time, is not lost", async () => {
    await alone.receive(hello());
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(25_000 + 9_999);
      await alone.receive(pong);
    }
    expect(alone.events).toEqual(["ready"]);
  });

  test("the latest PING is answered, and a stray PONG is ignored", async () => {
    await alone.receive(hello());
    alone.wire.takeFrames();
    alone.wire.bufferedAmount = 1 << 20;
    for (const n of [1, 2, 3]) await alone.receive(encodeFrame(9, 0, new Uint8Array(8).fill(n)));
    await alone.receive(pong);
    alone.wire.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(10);
    expect(alone.wire.takeFrames()).toEqual([`PONG ${hex(new Uint8Array(8).fill(3))}`]);
  });

  test("a PING that was not answered is forgotten with its link", async () => {
    await alone.receive(hello(...kept));
    await alone.frame(9, 0, "0102030405060708");
    await vi.advanceTimersByTimeAsync(25_000);
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(0));
    expect(wire.takeFrames("HELLO", "ACK")).toEqual([]);
    await vi.advanceTimersByTimeAsync(24_999);
    expect(alone.events.at(-1)).toBe("resumed");
    await alone.receive(pong);
  });

  test("a slow WebSocket is kept, a stuck one is lost", async () => {
    await alone.receive(hello(...kept));
    alone.session.open(open);
    alone.wire.bufferedAmount = 10 << 20;
    for (let s = 0; s < 120; s++) {
      alone.wire.bufferedAmount -= 1000;
      await vi.advanceTimersByTimeAsync(1000);
      await alone.receive(pong);
    }
    expect(alone.events).toEqual(["ready"]);
    for (let s = 0; s < 31; s++) {
      await vi.advanceTimersByTimeAsync(1000);
      await alone.receive(pong);
    }
    expect(alone.events.at(-1)).toMatch(/the peer does not read/);
  });
});

describe("limits", () => {
  test("a message over the peer's limit fails before it is sent", async () => {
    await alone.receive(hello());
    const [large, other] = [alone.session.open(open), alone.session.open(open)];
    void large.send(new Uint8Array(65_537));
    void other.send(new Uint8Array(10));
    await settle();
    expect(large.error?.message).toBe("resource_exhausted: message of 65537 bytes exceeds the peer's limit of 65536");
    expect(names().slice(1)).toEqual(["OPEN 1", "OPEN 3", "DATA 3", "RESET 1"]);
    expect(other.error).toBeUndefined();
  });

  test("a header over the peer's limit fails before it is sent", async () => {
    await alone.receive(hello());
    alone.wire.takeFrames();
    const large = alone.session.open(() => new Uint8Array(4097));
    const exact = alone.session.open(() => new Uint8Array(4096));
    await settle();
    expect(large.error?.code).toBe(Code.ResourceExhausted);
    expect(names()).toEqual(["OPEN 1"]);
    expect(exact.id).toBe(1);
  });

  test("streams over the peer's max_streams wait, and are opened as others close", async () => {
    await alone.receive(hello());
    const streams = Array.from({ length: 18 }, () => alone.session.open(open));
    await settle();
    expect(streams.filter((s) => s.id).length).toBe(16);
    alone.wire.takeFrames();
    streams[3]?.reset(1, new ParleyError("enough", Code.Canceled));
    await settle();
    expect(names()).toEqual(["RESET 7", "OPEN 33"]);
    streams[17]?.reset(1, new ParleyError("enough", Code.Canceled)); // it was never opened
    await settle();
    expect(names()).toEqual([]);
  });

  test("streams over this end's max_streams are refused", async () => {
    await alone.receive(hello());
    alone.wire.takeFrames();
    for (let n = 1; n <= 17; n++) await alone.frame(2, 2 * n, "");
    expect(names()).toEqual(["RESET 34"]);
    expect(alone.opened.length).toBe(16);
    alone.opened[0]?.end();
    await alone.frame(5, 2, "");
    await alone.frame(2, 36, "");
    expect(alone.opened.length).toBe(17);
  });

  test("a peer that does not acknowledge is cut off in the end", async () => {
    await alone.receive(hello(...kept, [8, 1 << 20], [10, 1 << 24], [4, 1 << 24]));
    const stream = alone.session.open(open);
    void stream.send(new Uint8Array(1 << 20));
    await settle();
    const sent = () => alone.wire.frames.reduce((n, f) => n + f.payload.length, 0);
    const before = sent();
    expect(before).toBeLessThan(2 * 65_536);
    await vi.advanceTimersByTimeAsync(1000);
    expect(sent()).toBe(before);
    // RESETs go on, until that is too much.
    for (let n = 1; !alone.session.error && n < 100_000; n++) {
      alone.session.sendReset(1, 2, "x".repeat(1000));
      await settle();
    }
    expect(alone.wire.closed).toBe(4008);
    expect(alone.session.error?.code).toBe(Code.ResourceExhausted);
  });
});

describe("resumption", () => {
  test("the settings of a session outlive its links", async () => {
    await alone.receive(hello(...kept, [4, 200_000], [10, 1 << 20]));
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(0)); // with the defaults
    const stream = alone.session.open(open);
    void stream.send(new Uint8Array(200_000), true);
    await settle();
    expect(stream.error).toBeUndefined();
  });

  test("this end's GOAWAY is sent again with the rest", async () => {
    await alone.receive(hello(...kept));
    alone.session.open(open);
    await settle();
    alone.session.stopOpening();
    await settle();
    expect(names().at(-1)).toMatch(/^GOAWAY/);
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(1));
    expect(wire.takeFrames("HELLO", "ACK")).toEqual(["GOAWAY 02ffffffffffffff0f"]);
  });

  test("a session closed during resumption closes that link", async () => {
    await alone.receive(hello(...kept));
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    alone.session.goAway(new ParleyError("page unloaded", Code.Canceled));
    expect(wire.takeFrames("HELLO")).toEqual([]);
    expect(wire.closed).toBe(1000);
    await alone.receive(granted(0));
    expect(alone.events.at(-1)).toMatch(/^over 1000/);
  });

  test("a final GOAWAY names the last stream of the peer", async () => {
    await alone.receive(hello(...kept));
    await alone.frame(2, 2, "");
    await alone.frame(2, 6, "");
    alone.wire.takeFrames();
    alone.session.goAway(new ParleyError("page unloaded", Code.Canceled));
    expect(alone.wire.takeFrames()).toEqual(["GOAWAY 0206"]);
    expect(alone.wire.closed).toBe(1000);
  });
});

describe("GOAWAY", () => {
  test("that is raised again is malformed", async () => {
    await alone.receive(hello(...kept));
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 5]])));
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 2 ** 53 - 1]])));
    expect(alone.wire.closed).toBe(1002);
    expect(alone.session.error?.message).toContain("rule A6");
  });

  test("with a number beyond all ids and a status ends the session all the same", async () => {
    await alone.receive(hello(...kept));
    const stream = alone.session.open(open);
    await settle();
    await alone.receive(
      encodeFrame(
        11,
        0,
        encodeFields([
          [2, 2 ** 53 - 1],
          [4, 99],
        ]),
      ),
    );
    expect(alone.session.canOpen).toBe(false);
    alone.session.linkClosed(1001, "");
    expect(stream.error?.message).toBe("unknown: the peer sent GOAWAY");
  });
});
