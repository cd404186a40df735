import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { encodeFields } from "../src/fields.js";
import * as f from "../src/frame.js";
import { concat } from "../src/varint.js";
import { SessionHarness, settle } from "./harness.js";

let alone: SessionHarness;
afterEach(() => alone?.end());

const STREAMS = 3;
const roomy = { maxFrame: 65_536, maxMessage: 4 << 20, initialWindow: 4 << 20 };

/** A piece of a message of one of the streams. */
interface Piece {
  stream: number;
  size: number;
  more: boolean;
  /** Whether it is the first frame of a link message. */
  opens: boolean;
}

const piece: fc.Arbitrary<Piece> = fc.record({
  stream: fc.nat({ max: STREAMS - 1 }),
  size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 }), fc.constant(15_000)),
  more: fc.boolean(),
  opens: fc.nat({ max: 3 }).map((n) => n === 0),
});

// The pieces of a message are put together in the memory of their link message. All messages are kept to the end, so a piece
// that is written over something in use is seen.
test("pieces of several streams in the same link messages become what was sent", async () => {
  let seed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 60 }), async (pieces) => {
      alone = new SessionHarness(roomy);
      await alone.receive(f.encodeFrame(f.HELLO, 0, encodeFields([])));
      const streams = Array.from({ length: STREAMS }, () => alone.session.open(() => new Uint8Array()));
      await settle();
      const parts: Uint8Array[][] = streams.map(() => []);
      const sent: Uint8Array[][] = streams.map(() => []);
      const got: Promise<{ bytes: Uint8Array } | undefined>[][] = streams.map(() => []);
      let message: Uint8Array[] = [];
      const flush = async () => {
        if (message.length) await alone.receive(concat(message));
        message = [];
      };
      for (const { stream, size, more, opens } of pieces) {
        const bytes = Uint8Array.from({ length: size }, () => seed++ % 251);
        parts[stream]!.push(bytes);
        if (opens || message.reduce((n, m) => n + m.length, 0) > 60_000) await flush();
        message.push(f.encodeFrame(f.DATA | (more ? f.FLAG_MORE : 0), streams[stream]!.id, bytes));
        if (more) continue;
        sent[stream]!.push(concat(parts[stream]!.splice(0)));
        got[stream]!.push(streams[stream]!.next());
      }
      await flush();
      for (const [i, messages] of got.entries()) {
        const same = (await Promise.all(messages)).map((m, k) => Buffer.compare(m!.bytes, sent[i]![k]!));
        expect(same).toEqual(same.map(() => 0));
      }
      alone.end();
    }),
    { numRuns: 100 },
  );
}, 60_000);

test("the pieces of a message in one link message take no other memory", async () => {
  alone = new SessionHarness(roomy);
  await alone.receive(f.encodeFrame(f.HELLO, 0, encodeFields([])));
  const stream = alone.session.open(() => new Uint8Array());
  await settle();
  const payloads = [30_000, 15_000, 1, 100].map((n, i) => new Uint8Array(n).fill(i + 1));
  const message = concat(payloads.map((p, i) => f.encodeFrame(f.DATA | (i < 3 ? f.FLAG_MORE : 0), stream.id, p)));
  const next = stream.next();
  alone.session.receive(message.buffer);
  const received = await next;
  expect(received?.bytes).toEqual(concat(payloads));
  expect(received?.bytes.buffer).toBe(message.buffer);
});
