import { afterEach, describe, expect, test } from "vitest";
import { hex, unhex, vectors } from "../../testing/vectors.js";
import { encodeFields, type Field, parseFields } from "../src/fields.js";
import { encodeFrame, HELLO, readFrame } from "../src/frame.js";
import type { Settings } from "../src/hello.js";
import type { Stream } from "../src/stream.js";
import { concat, Reader } from "../src/varint.js";
import { Alone, settle } from "./peer.js";

// This client is always the dialer. What the vectors say of an acceptor holds for it with odd and even ids exchanged, as
// the two ends differ in nothing else but HELLO.

interface SessionCase {
  name: string;
  side: "dialer" | "acceptor";
  rule: string;
  settings?: Record<string, number>;
  steps: { receive?: string; zeros?: number; do?: "open" | "end"; stream?: number }[];
  expect: { close?: number; resets?: { stream: number; code: number }[]; pong?: string; hello?: object };
}

/** What only an acceptor reads: a HELLO that asks to resume. */
const acceptorsOnly = ["N8", "A7"];

const mirrored = (id: number) => (id === 0 ? 0 : id % 2 ? id + 1 : id - 1);

const camel = (settings: Record<string, number> = {}) =>
  Object.fromEntries(
    Object.entries(settings).map(([k, v]) => [k.replace(/_./g, (m) => (m[1] as string).toUpperCase()), v]),
  ) as Partial<Settings>;

/** The same link message from the other end. */
function mirror(bytes: Uint8Array): Uint8Array {
  const r = new Reader(bytes);
  const out: Uint8Array[] = [];
  while (!r.done) {
    const start = r.at;
    const frame = readFrame(r, 1 << 20);
    if (!frame) {
      out.push(bytes.subarray(start, r.at)); // ignorable: its id means nothing
      continue;
    }
    const payload = frame.type === HELLO ? asAcceptor(frame.payload) : frame.payload;
    out.push(encodeFrame(frame.type | frame.flags, mirrored(frame.id), payload));
  }
  return concat(out);
}

/** A HELLO with what an acceptor adds where resumption is in force. */
function asAcceptor(payload: Uint8Array): Uint8Array {
  const fields = parseFields(payload, []);
  const extra: Field[] = [
    [1, new Uint8Array(16).fill(1)],
    [3, new Uint8Array(32).fill(2)],
  ];
  return fields.some(([key]) => key === 14) ? encodeFields([...fields, ...extra]) : payload;
}

let alone: Alone;
afterEach(() => alone?.end());

describe("session.json", () => {
  for (const c of vectors<SessionCase>("session").filter((c) => !acceptorsOnly.includes(c.rule))) {
    test(c.name, async () => {
      const flip = c.side === "acceptor";
      alone = new Alone(camel(c.settings));
      const streams = new Map<number, Stream>();
      for (const step of c.steps) {
        const id = flip ? mirrored(step.stream ?? 0) : (step.stream ?? 0);
        if (step.do === "open") {
          const stream = alone.session.open(() => new Uint8Array());
          streams.set(id, stream);
          await settle();
          expect(stream.id).toBe(id);
        } else if (step.do === "end") (streams.get(id) ?? alone.opened.find((s) => s.id === id))?.end();
        else {
          const message = concat([unhex(step.receive ?? ""), new Uint8Array(step.zeros ?? 0)]);
          await alone.receive(flip ? mirror(message) : message);
        }
        await settle();
      }
      const got = alone.wire.take("HELLO", "OPEN", "END", "WINDOW", "ACK", "PING");
      const want = (c.expect.resets ?? []).map(
        ({ stream, code }) => `RESET ${flip ? mirrored(stream) : stream} ${hex(Uint8Array.of(code))}`,
      );
      if (c.expect.pong) want.push(`PONG ${c.expect.pong}`);
      expect(
        got.map((t) => (t.startsWith("RESET") ? `${t.split(" ").slice(0, 2).join(" ")} ${t.split(" ")[2]?.slice(0, 2)}` : t)),
      ).toEqual(want);
      expect(alone.wire.closed).toBe(c.expect.close);
      if (c.expect.close) expect(alone.session.error?.message).toContain(`rule ${c.rule} `);
    });
  }
});

describe("malformed.json", () => {
  interface Case {
    name: string;
    hex: string;
    code: number;
    rule: string;
    from?: string;
    max_frame?: number;
  }
  // What the vectors have a dialer send is about a HELLO that this end never reads.
  for (const c of vectors<Case>("malformed").filter((c) => c.from !== "dialer")) {
    for (const before of ["nothing", "stream 1 open", "stream 1 closed"]) {
      test(`${c.name} after ${before}`, async () => {
        alone = new Alone(c.max_frame ? { maxFrame: c.max_frame } : {});
        if (before !== "nothing") {
          await alone.receive("010000");
          alone.session.open(() => new Uint8Array());
          await settle();
        }
        if (before === "stream 1 closed") await alone.frame(6, 1, "01");
        await alone.receive(c.hex);
        expect(alone.wire.closed).toBe(c.code);
        // Elsewhere another rule is broken first: that HELLO comes first, and once.
        const natural = c.hex.startsWith("01") === (before === "nothing");
        if (natural) expect(alone.session.error?.message).toContain(`rule ${c.rule} `);
      });
    }
  }
});
