import { afterEach, describe, expect, test } from "vitest";
import { hex, unhex, vectors } from "../../testing/vectors.js";
import { LOST } from "../src/closecode.js";
import { encodeFields, type Field, lookup, parseFields } from "../src/fields.js";
import { encodeFrame, HELLO, readFrame } from "../src/frame.js";
import type { Settings } from "../src/hello.js";
import type { Stream } from "../src/stream.js";
import { concat, Reader } from "../src/varint.js";
import { SessionHarness, settle, Wire } from "./harness.js";

// This client is always the dialer. What the vectors say of an acceptor holds for it with odd and even ids exchanged, as
// the two ends differ in nothing else but HELLO.

interface SessionCase {
  name: string;
  side: "dialer" | "acceptor";
  rule?: string;
  settings?: Record<string, number>;
  steps: Step[];
  expect: {
    close?: number;
    resets?: { stream: number; code: number }[];
    pong?: string;
    hello?: { received?: number; attempt?: number };
    sent?: string[];
    streams?: { stream: number; messages: string[]; trailer: string }[];
  };
}

interface Step {
  receive?: string;
  zeros?: number;
  times?: number;
  behind?: string;
  do?: "open" | "end" | "lose" | "resume" | "close" | "retire" | "announce" | "goaway" | "replace";
  stream?: number;
  code?: number;
}

/** What only an acceptor does: it reads a HELLO that asks to resume, and drains in two steps. */
const acceptorsOnly = (c: SessionCase) =>
  c.side === "acceptor" &&
  (["N8", "A7"].includes(c.rule ?? "") ||
    c.steps.some((step) => ["resume", "announce", "goaway", "replace"].includes(step.do ?? "")));

function received({ receive = "", zeros = 0, times = 1, behind = "" }: Step): Uint8Array<ArrayBuffer> {
  const once = [unhex(receive), new Uint8Array(zeros)];
  return concat([...Array.from({ length: times }, () => once).flat(), unhex(behind)]);
}

const mirrored = (id: number) => (id === 0 ? 0 : id % 2 ? id + 1 : id - 1);

const camel = (settings: Record<string, number> = {}) =>
  Object.fromEntries(
    Object.entries(settings).map(([k, v]) => [k.replace(/_./g, (m) => (m[1] as string).toUpperCase()), v]),
  ) as Partial<Settings>;

/** The same link message as the peer sends it. */
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

let alone: SessionHarness;
afterEach(() => alone?.end());

/** A case at work. Ids are those of this end. */
class Run {
  streams = new Map<number, Stream>();
  trailers = new Map<number, Uint8Array>();

  constructor(
    private flip: boolean,
    settings: Partial<Settings>,
  ) {
    alone = new SessionHarness(settings);
  }

  id = (id = 0) => (this.flip ? mirrored(id) : id);

  async step(step: Step): Promise<void> {
    const id = this.id(step.stream);
    if (step.do === "open") {
      const stream = alone.session.open(() => new Uint8Array());
      this.streams.set(id, stream);
      stream.onTrailer = (block) => this.trailers.set(id, block);
      await settle();
      expect(stream.id).toBe(id);
    } else if (step.do === "end") (this.streams.get(id) ?? alone.opened.find((s) => s.id === id))?.end();
    else if (step.do === "lose") alone.session.linkClosed(LOST, "");
    else if (step.do === "close") alone.session.linkClosed(step.code ?? 0, "");
    else if (step.do === "retire") alone.session.stopOpening();
    else if (step.do === "resume") alone.session.attach((alone.wire = new Wire()));
    else await alone.receive(this.flip ? mirror(received(step)) : received(step));
    await settle();
  }

  async wantsReceivable(id: number, messages: string[], trailer: string): Promise<void> {
    const stream = this.streams.get(id);
    for (const message of messages) expect(hex((await stream?.next())?.bytes ?? new Uint8Array())).toBe(message);
    expect(await stream?.next()).toBeUndefined();
    expect(hex(this.trailers.get(id) ?? new Uint8Array([255]))).toBe(trailer);
  }

  wantsHello(want: { received?: number; attempt?: number }): void {
    const hello = alone.wire.frames.find((f) => f.name === "HELLO");
    const get = lookup(parseFields(hello?.payload ?? new Uint8Array(), []));
    expect({ received: get(18), attempt: get(22) }).toEqual(want);
  }
}

for (const file of ["session", "states"]) {
  describe(`${file}.json`, () => {
    for (const c of vectors<SessionCase>(file).filter((c) => !acceptorsOnly(c))) {
      test(c.name, async () => {
        const run = new Run(c.side === "acceptor", camel(c.settings));
        for (const step of c.steps) await run.step(step);
        for (const s of c.expect.streams ?? []) await run.wantsReceivable(run.id(s.stream), s.messages, s.trailer);
        if (c.expect.hello) run.wantsHello(c.expect.hello);
        if (c.expect.sent) {
          const sent = alone.wire.frames.filter((f) => !["HELLO", "WINDOW", "PING"].includes(f.name));
          expect(sent.map((f) => hex(encodeFrame(f.head, f.id, f.payload)))).toEqual(c.expect.sent);
          return;
        }
        const got = alone.wire.takeFrames("HELLO", "OPEN", "END", "WINDOW", "ACK", "PING");
        const want = (c.expect.resets ?? []).map(({ stream, code }) => `RESET ${run.id(stream)} ${hex(Uint8Array.of(code))}`);
        if (c.expect.pong) want.push(`PONG ${c.expect.pong}`);
        expect(
          got.map((t) => (t.startsWith("RESET") ? `${t.split(" ").slice(0, 2).join(" ")} ${t.split(" ")[2]?.slice(0, 2)}` : t)),
        ).toEqual(want);
        expect(alone.wire.closed).toBe(c.expect.close);
        if (c.expect.close) expect(alone.session.error?.message).toContain(`rule ${c.rule} `);
      });
    }
  });
}

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
        alone = new SessionHarness(c.max_frame ? { maxFrame: c.max_frame } : {});
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
