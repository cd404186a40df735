import { afterEach, expect, test } from "vitest";
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
