// Properties of all parsers of peer data: they throw only what the protocol says, read nothing beyond
// what it was given, and what it has read it writes as it was. SEED repeats a run.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unhex, vectors } from "../../testing/vectors.js";
import { MAX_LONG_DELAY } from "../src/backoff.js";
import { encodeOpen, endError, parseEnd, parseHeader } from "../src/callwire.js";
import { closeAction, standardCode } from "../src/closecode.js";
import { Code, toCode } from "../src/code.js";
import { ParleyError, resetError } from "../src/error.js";
import { encodeFields, type Field, parseFields } from "../src/fields.js";
import * as f from "../src/frame.js";
import { encodeGoaway, parseGoaway } from "../src/goaway.js";
import { httpError } from "../src/handshake.js";
import { checkSettings, encodeHello, parseHello, protocolDefaults, type Settings } from "../src/hello.js";
import { fromHeaders, pairsToHeaders, readPairs, ruleCode } from "../src/metadata.js";
import { toMetadata } from "../src/metadatalist.js";
import { AnySchema, create } from "../src/protobuf.js";
import { retryAfter, retryLater } from "../src/retryinfo.js";
import { encodeEnd, parseOpen } from "../src/serverwire.js";
import { concat, cut, fromUTF8, putVarint, Reader, RuleError, utf8 } from "../src/varint.js";
import { SessionHarness } from "./harness.js";

const MAX = Number.MAX_SAFE_INTEGER;
const seed = Number(process.env.SEED) || Date.now() % 2 ** 31;

beforeAll(() => {
  console.log(`SEED=${seed}`);
  fc.configureGlobal({ seed, numRuns: 1000, interruptAfterTimeLimit: 500, markInterruptAsFailure: false });
});
afterAll(() => fc.resetConfigureGlobal());

// What is read. Most bytes drawn at random fail early: so good ones are spoiled too.

type Case = { hex?: string; block?: string };
const good = (...files: string[]) => files.flatMap((file) => vectors<Case>(file).flatMap(({ hex }) => (hex ? [unhex(hex)] : [])));
const messages = good("frames", "messages");
const blocks = [...good("fields", "rpc"), ...messages.map((m) => m.slice(3))];

const spoiled = (all: readonly Uint8Array[]) =>
  fc
    .tuple(
      fc.constantFrom(...all),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      fc.nat({ max: 8 }),
      fc.uint8Array({ maxLength: 8 }),
    )
    .map(([bytes, changes, less, more]) => {
      const out = concat([bytes.subarray(0, Math.max(0, bytes.length - less)), more]);
      for (const [at, byte] of changes) if (out.length) out[at % out.length] = byte;
      return out;
    });
const bytesLike = (all: readonly Uint8Array[]) => fc.oneof(fc.uint8Array({ maxLength: 64 }), spoiled(all));

const number = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32, MAX));
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.tuple(
    number.map((n) => Math.max(2, n - (n % 2))),
    number,
  ),
  fc.tuple(
    number.map((n) => (n % 2 ? n : Math.max(1, n - 1))),
    fc.uint8Array({ maxLength: 40 }),
  ),
);
const metadata = fc.dictionary(fc.stringMatching(/^[a-z0-9_.]{1,12}$/), fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/), {
  maxKeys: 6,
});

/** What f returns, or undefined if it breaks a rule. Anything else that it throws fails. */
function unlessRuleBroken<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch (e) {
    if (!(e instanceof RuleError)) throw e;
    expect(e.message).toMatch(/^the peer broke rule [A-Z]\d+ of the protocol$/);
    expect([1002, 1003, 1009]).toContain(e.code);
    return undefined;
  }
}

/** Checks that f holds for all bytes, given alone and in the middle of others, which it must not see. */
function forAll(all: readonly Uint8Array[], f: (bytes: Uint8Array) => unknown): void {
  fc.assert(
    fc.property(bytesLike(all), fc.integer({ min: 0, max: 255 }), (bytes, around) => {
      const more = new Uint8Array(bytes.length + 16).fill(around);
      more.set(bytes, 8);
      const outcome = (b: Uint8Array) => {
        try {
          return { value: f(b) };
        } catch (error) {
          return { error };
        }
      };
      const alone = outcome(bytes);
      if (alone.error) throw alone.error;
      expect(outcome(more.subarray(8, 8 + bytes.length))).toEqual(alone);
      expect(more.subarray(8, 8 + bytes.length)).toEqual(bytes);
    }),
  );
}

describe("varints", () => {
  test("are written as they were read", () => {
    forAll(blocks, (bytes) => {
      const r = new Reader(bytes);
      const value = unlessRuleBroken(() => r.varint());
      if (value === undefined) return;
      const out: number[] = [];
      putVarint(out, value);
      expect(out).toEqual([...bytes.subarray(0, r.at)]);
    });
  });

  test("are read as they were written", () => {
    fc.assert(
      fc.property(number, (n) => {
        expect(f.readNumber(f.encodeNumber(n))).toBe(n);
      }),
    );
  });
});

describe("frames", () => {
  const frames = (bytes: Uint8Array) => {
    const r = new Reader(bytes);
    const all: f.Frame[] = [];
    unlessRuleBroken(() => {
      while (!r.done) {
        const start = r.at;
        const frame = f.readFrame(r, 32_768);
        expect(r.at).toBeGreaterThan(start);
        expect(r.at).toBeLessThanOrEqual(bytes.length);
        if (!frame) continue;
        const { type, flags, id, payload } = frame;
        expect(f.encodeFrame(type | flags, id, payload)).toEqual(bytes.slice(start, r.at));
        all.push({ ...frame, payload: payload.slice() });
      }
    });
    return all;
  };

  test("are written as they were read", () => {
    forAll(messages, frames);
  });

  test("say what they control, or break a rule", () => {
    forAll(blocks, (payload) => {
      const reset = unlessRuleBroken(() => f.readReset(payload));
      if (reset) expect(reset[0]).toBeGreaterThan(0);
      const number = unlessRuleBroken(() => f.readNumber(payload));
      if (number !== undefined) expect(f.encodeNumber(number)).toEqual(payload.slice());
      return number;
    });
  });
});

describe("fields", () => {
  test("are written as they were read", () => {
    forAll(blocks, (block) => {
      const fields = unlessRuleBroken(() => parseFields(block, [1, 2, 3, 4, 5]));
      if (fields) expect(encodeFields(fields)).toEqual(block.slice());
      return fields?.length;
    });
  });

  test("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        expect(parseFields(encodeFields(fields), [])).toEqual(fields);
      }),
    );
  });

  test("with a key twice break a rule where it may be there once", () => {
    fc.assert(
      fc.property(fc.array(field), field, fc.array(field), (before, twice, after) => {
        const block = encodeFields([...before, twice, ...after, twice]);
        expect(() => parseFields(block, [twice[0]])).toThrow("rule B2 ");
      }),
    );
  });
});

describe("HELLO", () => {
  const settings = fc
    .record({
      maxFrame: fc.integer({ min: 16_384, max: 1 << 20 }),
      maxMessage: fc.integer({ min: 65_536, max: MAX }),
      maxHeader: fc.integer({ min: 4096, max: 16_384 }),
      maxStreams: fc.integer({ min: 16, max: MAX }),
      initialWindow: fc.integer({ min: 16_384, max: MAX }),
      keepalive: fc.integer({ min: 1000, max: 25_000 }),
      resumeWindow: number,
      replayLimit: fc.integer({ min: 65_536, max: MAX }),
    })
    .map((s): Settings => ({ ...protocolDefaults(), ...s }));

  test("is read as it was written", () => {
    fc.assert(
      fc.property(settings, (s) => {
        expect(parseHello(encodeHello(s)).settings).toEqual(s);
      }),
    );
  });

  test("says settings that hold, or breaks a rule", () => {
    forAll([...blocks, encodeHello({ ...protocolDefaults(), maxStreams: 100, keepalive: 2000 })], (payload) => {
      const hello = unlessRuleBroken(() => parseHello(payload));
      if (hello) expect(checkSettings(hello.settings)).toBeUndefined();
      return hello?.settings;
    });
  });
});

describe("GOAWAY", () => {
  test("says numbers and texts of at most 1024 bytes, or breaks a rule", () => {
    forAll(blocks, (payload) => {
      const g = unlessRuleBroken(() => parseGoaway(payload));
      for (const n of g ? [g.lastStream, g.status, g.delay] : []) expect(Number.isSafeInteger(n)).toBe(true);
      for (const t of g ? [g.reason, g.address] : []) expect(t.length).toBeLessThanOrEqual(1024);
      return g;
    });
  });

  test("is read as it was written", () => {
    fc.assert(
      fc.property(number, (last) => {
        expect(parseGoaway(encodeGoaway(last)).lastStream).toBe(last);
      }),
    );
  });
});

describe("blocks of calls", () => {
  test("are read, or break a rule", () => {
    forAll(blocks, (block) => {
      const read = [parseOpen, parseHeader, parseEnd].map((parse) => unlessRuleBroken(() => parse(block)));
      for (const parsed of read) if (parsed) expect([...pairsToHeaders(parsed.pairs)].length).toBeLessThanOrEqual(256);
      const end = unlessRuleBroken(() => parseEnd(block));
      const error = end && endError(end);
      expect(!!error).toBe(!!end?.status);
      if (error) expect(retryAfter(error) ?? 0).toBeGreaterThanOrEqual(0);
      return read.map((parsed) => !!parsed);
    });
  });

  test("that open a call are read as they were written", () => {
    const method = fc.oneof(
      fc.string({ minLength: 1, unit: "grapheme" }),
      number.map((n) => n || 1),
    );
    fc.assert(
      fc.property(method, fc.option(number, { nil: undefined }), metadata, (method, timeout, headers) => {
        const open = parseOpen(encodeOpen(method, timeout, { name: "json" }, fromHeaders(toMetadata(headers))));
        expect(open.method || open.alias).toBe(typeof method === "string" ? fromUTF8(utf8(method)) : method);
        expect([open.timeout, open.codec]).toEqual([timeout, "json"]);
        expect([...pairsToHeaders(open.pairs)]).toEqual([...new Headers(Object.entries(headers))]);
      }),
    );
  });

  test("that end a call keep the status, however little fits", () => {
    const most = fc.integer({ min: 64, max: 2000 });
    const details = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.string({ maxLength: 500, unit: "binary" }),
        details,
        metadata,
        most,
        (code, text, values, headers, most) => {
          const error = new ParleyError(text, code as Code);
          error.details = values.map((value) => create(AnySchema, { typeUrl: "type.googleapis.com/x", value }));
          const block = encodeEnd(error, fromHeaders(toMetadata(headers)), most);
          expect(block.length).toBeLessThanOrEqual(most);
          const end = parseEnd(block);
          expect(end.status).toBe(code);
          expect(fromUTF8(utf8(text)).startsWith(end.message)).toBe(true);
          if (end.details.length) expect(endError(end)?.details).toEqual(error.details);
        },
      ),
    );
  });

  test("have pairs that are as they were", () => {
    const key = fc.stringMatching(/^[a-z0-9_.]{1,9}-bin$/);
    fc.assert(
      fc.property(fc.dictionary(key, fc.uint8Array({ maxLength: 40 })), (values) => {
        const headers = pairsToHeaders(Object.entries(values));
        const pairs = readPairs(fromHeaders(headers));
        expect(Object.fromEntries(pairs.map(([key, value]) => [key, value.slice()]))).toEqual(values);
      }),
    );
  });
});

describe("what ends things", () => {
  test("has a status, whatever its number", () => {
    const anything = fc.oneof(number, fc.integer(), fc.double());
    const codes = Object.values(Code);
    fc.assert(
      fc.property(anything, fc.string(), (n, text) => {
        expect(codes).toContain(toCode(n));
        expect(codes).toContain(closeAction(standardCode(n)).status);
        expect(codes).toContain(resetError(n, text).code);
        expect(codes).toContain(ruleCode(new RuleError(text)));
      }),
    );
  });

  test("says when to retry, within bounds", () => {
    const details = fc.array(fc.tuple(fc.constantFrom("x/google.rpc.RetryInfo", "x"), fc.uint8Array({ maxLength: 24 })));
    fc.assert(
      fc.property(details, fc.double(), (all, ms) => {
        const error = new ParleyError("busy", Code.Unavailable);
        error.details = all.map(([typeUrl, value]) => create(AnySchema, { typeUrl, value }));
        for (const e of [error, retryLater(ms)]) {
          const after = retryAfter(e);
          if (after !== undefined) expect(after >= 0 && after <= 315_576_000_000_000).toBe(true);
        }
      }),
    );
  });

  test("of HTTP is an error, and its Retry-After is bounded", () => {
    const header = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[ ,]{0,40}(parley\.v[0-9])?[ ,]{0,40}$/),
      number.map(String),
      fc.stringMatching(/^\d{0,400}$/),
      fc.date({ noInvalidDate: true }).map((d) => d.toUTCString()),
    );
    fc.assert(
      fc.property(fc.nat({ max: 700 }), header, header, (status, versions, retry) => {
        const error = httpError(status, (name) => (name === "retry-after" ? retry : versions));
        expect(error).toBeInstanceOf(ParleyError);
        if (error.retryAfter === undefined) return;
        expect(error.retryAfter).toBeGreaterThanOrEqual(0);
        expect(error.retryAfter).toBeLessThanOrEqual(MAX_LONG_DELAY);
      }),
    );
  });

  test("is cut to a prefix that fits", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat({ max: 60 }), (text, n) => {
        const short = cut(text, n);
        expect(utf8(short).length).toBeLessThanOrEqual(n);
        expect(fromUTF8(utf8(text)).startsWith(fromUTF8(utf8(short)))).toBe(true);
        if (utf8(text).length <= n) expect(short).toBe(text);
        else expect(utf8(short).length).toBeGreaterThan(n - 4);
      }),
    );
  });
});

describe("a session", () => {
  const HELLO = f.encodeFrame(f.HELLO, 0, encodeHello({ ...protocolDefaults(), maxStreams: 100 }));
  const frame = fc
    .tuple(
      fc.constantFrom(...Array.from({ length: 11 }, (_, i) => i + 1)),
      fc.constantFrom(0, 0x10, 0x20, 0x40),
      fc.nat({ max: 12 }),
    )
    .chain(([type, flags, id]) =>
      fc
        .oneof(
          fc.uint8Array({ maxLength: 16 }),
          number.map(f.encodeNumber),
          fc.constantFrom(...blocks),
          fc.constant(new Uint8Array(8)),
        )
        .map((payload) => f.encodeFrame(type | (type === f.DATA || type === f.OPEN ? flags : 0), id, payload)),
    );
  const message = fc.oneof(bytesLike(messages), fc.array(frame, { minLength: 1, maxLength: 8 }).map(concat));

  test("is closed by what breaks a rule, and throws nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 12 }), fc.boolean(), async (all, text) => {
        const alone = new SessionHarness();
        try {
          await alone.receive(HELLO);
          const streams = [1, 2, 3].map(() => alone.session.open(() => new Uint8Array()));
          const ends = streams.map((s) => s.next().catch((e: unknown) => e));
          for (const bytes of all) {
            if (alone.wire.ended) break;
            await alone.receive(bytes);
          }
          if (text && !alone.wire.ended) alone.session.receive("text");
          if (alone.wire.ended) {
            expect([1002, 1003, 1009, 4008]).toContain(alone.wire.closed);
            for (const end of await Promise.all(ends)) if (end instanceof Error) expect(end).toBeInstanceOf(ParleyError);
          }
        } finally {
          alone.end();
        }
      }),
      { numRuns: 500 },
    );
  });

  test("puts a message together from whatever pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2000 })), { minLength: 1, maxLength: 40 }),
        async (sizes) => {
          const alone = new SessionHarness({ initialWindow: 1 << 20, maxMessage: 1 << 20 });
          try {
            await alone.receive(HELLO);
            const stream = alone.session.open(() => new Uint8Array());
            await alone.receive(f.encodeFrame(f.PING, 0, new Uint8Array(8)));
            const pieces = sizes.map((n, i) => new Uint8Array(n).map((_, j) => i + j));
            for (const [i, piece] of pieces.entries()) {
              await alone.receive(f.encodeFrame(f.DATA | (i + 1 < pieces.length ? f.FLAG_MORE : 0), 1, piece));
            }
            expect((await stream.next())?.bytes).toEqual(concat(pieces));
          } finally {
            alone.end();
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
