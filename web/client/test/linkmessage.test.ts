import { afterEach, describe, expect, test } from "vitest";
import { Code } from "../src/code.js";
import { ParleyError } from "../src/error.js";
import { encodeFields } from "../src/fields.js";
import { encodeFrame, HELLO, LIMIT } from "../src/frame.js";
import { SessionHarness, settle } from "./harness.js";

// PROTOCOL.md, sections 4.1 and 6.3. The wire of the tests throws where a frame begins too late in a link message.

let alone: SessionHarness;
afterEach(() => alone?.end());

/** Greets with settings by their keys. */
const sendHello = (...fields: [key: number, value: number][]) => alone.receive(encodeFrame(HELLO, 0, encodeFields(fields)));

const open = () => alone.session.open(() => new Uint8Array());

test("no OPEN overtakes the RESETs that make room for it", async () => {
  const most = 2000;
  alone = new SessionHarness();
  await sendHello([8, most]);
  const streams = Array.from({ length: most }, open);
  await settle();
  for (const s of streams) s.reset(LIMIT, new ParleyError("x".repeat(1000), Code.ResourceExhausted));
  for (let i = 0; i < most; i++) open();
  await settle();
  let now = 0;
  for (const { name } of alone.wire.frames) {
    if (name === "RESET") now--;
    if (name === "OPEN") expect(++now).toBeLessThanOrEqual(most);
  }
  expect(now).toBe(most);
});

test("an ACK does not begin behind a frame that fills the link message", async () => {
  alone = new SessionHarness({ resumeWindow: 30_000 });
  const session: [number, Uint8Array][] = [
    [1, new Uint8Array(16)],
    [3, new Uint8Array(32)],
  ];
  const settings: [number, number][] = [
    [2, 1 << 20],
    [6, 1 << 20],
    [14, 30_000],
  ];
  await alone.receive(encodeFrame(HELLO, 0, encodeFields([...settings, ...session])));
  const stream = open();
  await settle();
  await alone.frame(3, stream.id, ""); // HEADER, which is to be acknowledged
  alone.session.open(() => new Uint8Array(200 << 10));
  await settle();
  expect(alone.wire.frames.map((f) => f.payload.length)).toContain(200 << 10);
  expect(alone.wire.closed).toBeUndefined(); // one frame may be more than is kept otherwise
});

describe("streams that send at once", () => {
  /** The sum of the payloads by stream, and the order of the frames. */
  const sent = () => {
    const bytes = new Map<number, number>();
    const frames = alone.wire.frames.filter((f) => f.name === "DATA");
    for (const f of frames) bytes.set(f.id, (bytes.get(f.id) ?? 0) + f.payload.length);
    alone.wire.frames = [];
    return { bytes, order: frames.map((f) => f.id) };
  };
  /** Sends n messages of a size on a new stream. */
  const send = (size: number, n: number) => {
    const stream = open();
    for (let i = 0; i < n; i++) void stream.send(new Uint8Array(size));
    return stream;
  };
  const start = async () => {
    alone = new SessionHarness();
    await sendHello([2, 1 << 20], [4, 1 << 22], [10, 1 << 22]);
    alone.wire.bufferedAmount = 1 << 20;
  };
  const letThrough = async () => {
    alone.wire.bufferedAmount = 0;
    alone.session.receive(encodeFrame(8, 0, new Uint8Array(1)).buffer); // anything: it looks at the WebSocket again
    await settle();
  };

  test("take turns by bytes, whatever the sizes of their messages", async () => {
    await start();
    const streams = [send(64 << 10, 4), send(8 << 10, 32), send(5000, 52)];
    await letThrough();
    const { order } = sent();
    // Half of all that is sent: each has had its part of that.
    const half = new Map<number, number>();
    for (const id of order.slice(0, Math.floor(order.length / 2))) half.set(id, (half.get(id) ?? 0) + 1);
    const sizes = [32 << 10, 8 << 10, 5000];
    const shares = streams.map((s, i) => (half.get(s.id) ?? 0) * sizes[i]!);
    const mean = shares.reduce((a, b) => a + b) / 3;
    for (const share of shares) expect(share / mean).toBeGreaterThan(0.7);
    for (const share of shares) expect(share / mean).toBeLessThan(1.4);
  });

  test("with small messages go ahead of large ones, and leave half of the link to them", async () => {
    await start();
    const large = send(1 << 20, 1);
    const small = send(4096, 1);
    const many = send(1000, 1000);
    await letThrough();
    const { order, bytes } = sent();
    expect(order[0]).toBe(small.id);
    expect(bytes.get(many.id)).toBe(1_000_000);
    const first = order.slice(0, order.lastIndexOf(large.id));
    const ahead = first.filter((id) => id === many.id).length * 1000;
    expect(ahead / (bytes.get(large.id) as number)).toBeLessThan(1);
    expect(ahead / (bytes.get(large.id) as number)).toBeGreaterThan(0.4);
  });

  test("keep the order of their own frames", async () => {
    await start();
    const stream = open();
    for (const size of [10, 100_000, 20, 5000, 30]) void stream.send(new Uint8Array(size));
    void send(10, 1);
    await letThrough();
    const sizes = alone.wire.frames.filter((f) => f.id === stream.id && f.name === "DATA").map((f) => f.payload.length);
    expect(sizes).toEqual([10, 32_768, 32_768, 32_768, 1696, 20, 5000, 30]);
  });
});
