import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hex } from "../../testing/vectors.js";
import { Code } from "../src/code.js";
import { ParleyError } from "../src/error.js";
import { encodeFields, type Field } from "../src/fields.js";
import { encodeFrame } from "../src/frame.js";
import { concat } from "../src/varint.js";
import { SessionHarness, settle, Wire } from "./harness.js";

const session = new Uint8Array(16).fill(0xaa);
const token = (n: number) => new Uint8Array(32).fill(n);

const hello = (...fields: Field[]) => encodeFrame(1, 0, encodeFields(fields));
/** The acceptor's HELLO where resumption is in force. */
const serverHello = hello([14, 30_000], [1, session], [3, token(1)]);
const granted = (received: number) => hello([14, 30_000], [1, session], [3, token(2)], [18, received], [20, 1]);
const data = (id: number, text: string, flags = 0) => encodeFrame(4 | flags, id, new TextEncoder().encode(text));
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

const text = async (message: Promise<{ bytes: Uint8Array } | undefined>) => new TextDecoder().decode((await message)?.bytes);

describe("before the peer's HELLO", () => {
  test("calls are sent within the protocol's defaults", async () => {
    for (let i = 0; i < 20; i++) void alone.session.open(open).send(new Uint8Array(20_000), true);
    await settle();
    const frames = alone.wire.takeFrames();
    expect(frames.filter((f) => f.startsWith("OPEN")).length).toBe(16);
    for (const stream of [1, 3]) {
      const cost = frames
        .filter((f) => f.startsWith(`DATA ${stream} `))
        .reduce((n, f) => n + (f.split(" ")[2] as string).length / 2 + 32, 0);
      expect(cost).toBeLessThanOrEqual(16_384);
    }
    await alone.receive(hello([8, 100], [10, 65_536]));
    expect(alone.wire.takeFrames("WINDOW", "DATA").length).toBe(4);
  });

  test("a message over the default limit waits, as the limit may be higher", async () => {
    void alone.session.open(open).send(new Uint8Array(100_000), true);
    await settle();
    expect(alone.wire.takeFrames("HELLO", "OPEN")).toEqual([]);
    await alone.receive(hello([4, 200_000], [10, 200_000]));
    expect(alone.wire.takeFrames("HELLO", "OPEN").length).toBe(7);
  });

  test("the link is dropped after 10 s", async () => {
    await vi.advanceTimersByTimeAsync(10_000);
    expect(alone.wire).toMatchObject({ ended: true, closed: undefined });
    expect(alone.events).toEqual(["over 1006 unavailable: link lost: no HELLO in time"]);
  });
});

describe("a lost link", () => {
  test("is resumed: only missed frames are sent again, in order", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    for (const message of ["a", "b", "c"]) void stream.send(new TextEncoder().encode(message));
    await settle();
    await alone.receive(concat([data(1, "A"), data(1, "B")]));
    alone.wire.takeFrames();
    alone.session.linkClosed(1006, "");
    expect(alone.events.at(-1)).toBe("lost unavailable: link lost");
    void stream.send(new TextEncoder().encode("d"));
    const wire = new Wire();
    alone.session.attach(wire);
    await settle();
    const sent = wire.takeFrames();
    expect(sent.length).toBe(1);
    const asks = encodeFields([
      [14, 30_000],
      [1, session],
      [3, token(1)],
      [18, 2],
      [22, 1],
      [5, new TextEncoder().encode("parley-web/0.1.0")],
    ]);
    expect(sent[0]).toBe(`HELLO ${hex(asks)}`);
    // It has received OPEN and "a", and sends its second message again: this end has seen it.
    await alone.receive(concat([granted(2), data(1, "C")]));
    expect(wire.takeFrames()).toEqual(["ACK 02", "DATA 1 62", "DATA 1 63", "DATA 1 64", "ACK 03"]);
    expect(await text(stream.next())).toBe("A");
    expect(await text(stream.next())).toBe("B");
    expect(await text(stream.next())).toBe("C");
    expect(alone.events.at(-1)).toBe("resumed");
  });

  test("is resumed again with the latest token and a higher attempt", async () => {
    await alone.receive(serverHello);
    for (const attempt of [1, 2]) {
      alone.session.linkClosed(1006, "");
      const wire = new Wire();
      alone.session.attach(wire);
      if (attempt === 2) expect(wire.takeFrames()[0]).toContain(`0320${hex(token(2))}12001602`);
      else await alone.receive(granted(0));
    }
  });

  test("keeps the old token while the answer to the new one is missing", async () => {
    await alone.receive(serverHello);
    alone.session.linkClosed(1006, "");
    alone.session.attach(new Wire());
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    expect(wire.takeFrames()[0]).toContain(`0320${hex(token(1))}12001602`);
  });

  test("whose session is unknown moves pending calls to a new one", async () => {
    await alone.receive(serverHello);
    const old = alone.session.open(open);
    await settle();
    alone.session.linkClosed(1006, "");
    const waiting = alone.session.open(open);
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(hello([14, 30_000], [1, new Uint8Array(16).fill(0xbb)], [3, token(9)], [20, 0]));
    expect(old.error?.message).toBe("unavailable: session lost: the peer does not know it");
    expect(waiting.id).toBe(1);
    expect(wire.takeFrames("HELLO")).toEqual(["OPEN 1 "]);
  });

  test("that is not resumed in time fails open calls", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    await settle();
    alone.session.linkClosed(1006, "");
    await vi.advanceTimersByTimeAsync(29_999);
    expect(stream.error).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(stream.error?.code).toBe(Code.Unavailable);
  });

  test("does not stop resets, which follow", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    await settle();
    alone.session.linkClosed(1006, "");
    stream.reset(1, new ParleyError("enough", Code.Canceled));
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(1));
    expect(wire.takeFrames("HELLO")).toEqual(["ACK 00", "RESET 1 01"]);
  });

  test("that ends with a code is not resumed", async () => {
    await alone.receive(serverHello);
    alone.session.linkClosed(1011, "bug");
    expect(alone.events.at(-1)).toBe("over 1011 internal: closed by the peer with code 1011: bug");
  });

  test("with a wrong count of what was received closes the new one with 1002", async () => {
    await alone.receive(serverHello);
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(7));
    expect(wire.closed).toBe(1002);
  });
});

describe("what was received", () => {
  test("is acknowledged within a second", async () => {
    await alone.receive(serverHello);
    alone.session.open(open);
    await settle();
    alone.wire.takeFrames();
    await alone.receive(data(1, "x"));
    expect(alone.wire.takeFrames()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(alone.wire.takeFrames()).toEqual(["ACK 01"]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(alone.wire.takeFrames()).toEqual([]);
  });

  test("is acknowledged with what is sent anyway", async () => {
    await alone.receive(serverHello);
    alone.session.open(open);
    await settle();
    await alone.receive(data(1, "x"));
    alone.wire.takeFrames();
    alone.session.open(open);
    await settle();
    expect(alone.wire.takeFrames()).toEqual(["OPEN 3 ", "ACK 01"]);
  });

  test("is acknowledged at once after a quarter of the peer's replay_limit", async () => {
    await alone.receive(serverHello);
    for (const _ of [1, 2]) alone.session.open(open);
    await settle();
    alone.wire.takeFrames();
    for (const id of [1, 3]) await alone.receive(data(id, "x".repeat(10_000)));
    expect(alone.wire.takeFrames()).toEqual(["ACK 02"]);
  });

  test("stops further data while too much is unacknowledged", async () => {
    await alone.receive(hello([14, 30_000], [1, session], [3, token(1)], [10, 1 << 20], [4, 1 << 20]));
    const stream = alone.session.open(open);
    void stream.send(new Uint8Array(500_000));
    await settle();
    const bytes = () => alone.wire.frames.reduce((n, f) => n + f.payload.length, 0);
    expect(bytes()).toBeGreaterThan(65_000);
    expect(bytes()).toBeLessThan(65_536 + 16_384);
    const before = bytes();
    await alone.receive(encodeFrame(8, 0, Uint8Array.of(3)));
    expect(bytes()).toBeGreaterThan(before);
  });
});

describe("credit", () => {
  test("is given when the application takes a message, not when it arrives", async () => {
    await alone.receive(hello());
    const stream = alone.session.open(open);
    await settle();
    alone.wire.takeFrames();
    await alone.receive(data(1, "x".repeat(10_000)));
    expect(alone.wire.takeFrames()).toEqual([]);
    await stream.next();
    await settle();
    expect(alone.wire.takeFrames().map((f) => f.split(" ")[0])).toEqual(["WINDOW"]);
  });

  test("is given for the pieces of a message that the application waits for", async () => {
    await alone.receive(hello());
    const stream = alone.session.open(open);
    const whole = stream.next();
    await settle();
    for (const _ of [1, 2, 3]) await alone.receive(data(1, "x".repeat(16_000), 0x20));
    await alone.receive(data(1, "x"));
    expect((await whole)?.bytes.length).toBe(48_001);
    expect(stream.error).toBeUndefined();
  });

  test("of one stream does not stop another", async () => {
    await alone.receive(hello());
    const [one, two] = [alone.session.open(open), alone.session.open(open)];
    void one.send(new Uint8Array(60_000));
    void two.send(new Uint8Array(10));
    await settle();
    expect(alone.wire.takeFrames().some((f) => f.startsWith("DATA 3"))).toBe(true);
  });
});

describe("a stream that is expected to carry much", () => {
  const MIB = "808040";
  const windows = () => alone.wire.takeFrames().filter((f) => /^(OPEN|WINDOW|DATA|PING)/.test(f));

  test("has a window of 1 MiB, right behind its OPEN in the same link message", async () => {
    await alone.receive(hello());
    alone.wire.takeFrames();
    const messages = vi.spyOn(alone.wire, "send");
    const stream = alone.session.open(open);
    stream.widen();
    void stream.send(Uint8Array.of(7));
    await settle();
    expect(windows()).toEqual(["OPEN 1 ", `WINDOW 1 ${MIB}`, "DATA 1 07"]);
    expect(messages).toHaveBeenCalledTimes(1);
  });

  test("has it at once if the peer has opened it", async () => {
    await alone.receive(hello());
    await alone.receive(encodeFrame(2, 2, new Uint8Array()));
    alone.opened[0]!.widen();
    await settle();
    expect(windows()).toEqual([`WINDOW 2 ${MIB}`]);
  });

  test("has it at the first piece of a message of several frames, and others have it not", async () => {
    await alone.receive(hello());
    void alone.session.open(open).next();
    await settle();
    alone.wire.takeFrames();
    await alone.receive(data(1, "x".repeat(7000)));
    expect(windows()).toEqual([]);
    await alone.receive(data(1, "x", 0x20));
    expect(windows()).toEqual(["WINDOW 1 f8b640"]); // 1 MiB beyond what was read
    await alone.receive(data(1, "x", 0x20));
    expect(windows()).toEqual([]);
  });

  test("has it again on the next link, behind what is sent again", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    stream.widen();
    await settle();
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    await alone.receive(granted(0));
    expect(wire.takeFrames("HELLO")).toEqual(["ACK 00", "OPEN 1 ", `WINDOW 1 ${MIB}`]);
  });

  test("measures the round trip when its window moves, at most once in 10 s", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    const take = async () => {
      for (const _ of [1, 2]) {
        void stream.next();
        await alone.receive(data(1, "x".repeat(14_000)));
      }
      return windows().map((f) => f.split(" ")[0]);
    };
    await settle();
    expect(await take()).not.toContain("PING");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await take()).toEqual(["PING", "WINDOW"]);
    await alone.receive(encodeFrame(10, 0, new Uint8Array(8)));
    expect(await take()).not.toContain("PING");
  });
});

describe("what was missed", () => {
  test("is sent again as fast as the WebSocket takes it, behind a PONG", async () => {
    await alone.receive(hello([14, 30_000], [1, session], [3, token(1)], [10, 1 << 20], [4, 1 << 20]));
    const stream = alone.session.open(open);
    void stream.send(new Uint8Array(60_000));
    await settle();
    alone.session.linkClosed(1006, "");
    const wire = new Wire();
    alone.session.attach(wire);
    wire.bufferedAmount = 1 << 20;
    await alone.receive(granted(0));
    alone.session.stopOpening(); // its GOAWAY is counted, so it follows
    await alone.receive(encodeFrame(9, 0, new Uint8Array(8)));
    expect(wire.takeFrames("HELLO")).toEqual(["ACK 00"]);
    wire.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(10);
    const names = wire.takeFrames().map((f) => f.split(" ")[0]);
    expect(names).toEqual(["PONG", "OPEN", "DATA", "DATA", "DATA", "DATA", "GOAWAY"]);
  });
});

describe("sending", () => {
  test("waits for the WebSocket and goes on by itself", async () => {
    await alone.receive(hello());
    alone.wire.bufferedAmount = 1 << 20;
    const stream = alone.session.open(open);
    let sent = false;
    void stream.send(new Uint8Array(10)).then(() => {
      sent = true;
    });
    await settle();
    expect(sent).toBe(false);
    alone.wire.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toBe(true);
  });

  test("without progress for 30 s drops the link", async () => {
    await alone.receive(serverHello);
    alone.wire.bufferedAmount = 1 << 20;
    alone.session.open(open);
    for (let s = 0; s < 6; s++) {
      await vi.advanceTimersByTimeAsync(6000);
      await alone.receive(encodeFrame(10, 0, new Uint8Array(8))); // the peer is alive
    }
    expect(alone.events.at(-1)).toBe("lost unavailable: link lost: the peer does not read");
  });

  test("control frames go first", async () => {
    await alone.receive(hello([10, 1 << 20]));
    alone.wire.bufferedAmount = 1 << 20;
    void alone.session.open(open).send(new Uint8Array(10_000));
    await alone.receive(encodeFrame(9, 0, new Uint8Array(8)));
    alone.wire.takeFrames();
    alone.wire.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(10);
    expect(alone.wire.takeFrames().map((f) => f.split(" ")[0])).toEqual(["PONG", "OPEN", "DATA"]);
  });
});

describe("silence", () => {
  test("causes a PING after the keepalive and a lost link 10 s later", async () => {
    await alone.receive(serverHello);
    alone.wire.takeFrames();
    await vi.advanceTimersByTimeAsync(25_000);
    expect(alone.wire.takeFrames()).toEqual(["PING 0000000000000000"]);
    await alone.receive(encodeFrame(10, 0, new Uint8Array(8)));
    await vi.advanceTimersByTimeAsync(25_000);
    expect(alone.wire.takeFrames()).toEqual(["PING 0000000000000000"]);
    expect(alone.events).toEqual(["ready"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(alone.events.at(-1)).toBe("lost unavailable: link lost: no PONG in time");
  });

  test("is found sooner by a probe", async () => {
    await alone.receive(serverHello);
    alone.session.probe(3000);
    await settle();
    expect(alone.wire.takeFrames("HELLO")).toEqual(["PING 0000000000000000"]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(alone.events.at(-1)).toMatch(/^lost/);
  });
});

describe("a server that drains", () => {
  test("has not processed streams above its last", async () => {
    await alone.receive(hello());
    const [one, two] = [alone.session.open(open), alone.session.open(open)];
    const unseen: boolean[] = [];
    two.onFail = (_, u) => unseen.push(u);
    await settle();
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 1]])));
    expect(one.error).toBeUndefined();
    expect(unseen).toEqual([true]);
    expect(alone.events).toEqual(["ready", "goaway"]);
    alone.session.stopOpening();
    expect(alone.wire.ended).toBe(false);
    one.end();
    await settle();
    await alone.receive(encodeFrame(5, 1, new Uint8Array()));
    expect(alone.wire.takeFrames("HELLO", "OPEN", "END")).toEqual(["GOAWAY 02ffffffffffffff0f"]);
    await vi.advanceTimersByTimeAsync(999);
    expect(alone.wire.ended).toBe(false); // the close is the server's
    await vi.advanceTimersByTimeAsync(1);
    expect(alone.wire.closed).toBe(1000);
  });

  test("with only a notice still accepts streams", async () => {
    await alone.receive(serverHello);
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 2 ** 53 - 1]])));
    alone.session.open(open).end();
    await settle();
    expect(alone.wire.takeFrames("HELLO")).toEqual(["OPEN 1 ", "END 1 ", "ACK 01"]);
    alone.session.stopOpening();
    await alone.receive(encodeFrame(5, 1, new Uint8Array()));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(alone.wire.ended).toBe(false);
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 1]])));
    expect(alone.wire.takeFrames("PING").at(-1)).toBe("ACK 03"); // at once: the server waits for it
    await vi.advanceTimersByTimeAsync(1000);
    expect(alone.wire.closed).toBe(1000);
  });

  test("with a status ends its calls with status and reason", async () => {
    await alone.receive(serverHello);
    const stream = alone.session.open(open);
    await settle();
    const reason: Field = [1, new TextEncoder().encode("too many")];
    await alone.receive(encodeFrame(11, 0, encodeFields([[2, 1], [4, 8], reason])));
    alone.session.linkClosed(4008, "");
    expect(stream.error?.message).toBe("resource_exhausted: the peer sent GOAWAY: too many");
  });
});
