import { toBinary } from "@bufbuild/protobuf";
import { TypeSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { hex, unhex, vectors } from "../../testing/vectors.js";
import { encodeOpen, parseEnd, parseHeader } from "../src/callwire.js";
import { Code, toCode } from "../src/code.js";
import { decode, proto } from "../src/codec.js";
import { encodeFields, type Field, parseFields } from "../src/fields.js";
import { encodeFrame, isSequenced, readFrame, readNumber, readReset } from "../src/frame.js";
import { parseGoaway } from "../src/goaway.js";
import { parseHello } from "../src/hello.js";
import { json } from "../src/json.js";
import type { Pair } from "../src/metadata.js";
import { parseOpen } from "../src/serverwire.js";
import { putVarint, Reader } from "../src/varint.js";
import { FRAME_COST } from "../src/window.js";

type VectorField = { key: number; value?: number; bytes?: string };
const toFields = (fields: VectorField[]): Field[] =>
  fields.map((f) => [f.key, f.bytes === undefined ? (f.value as number) : unhex(f.bytes)]);
const plain = (fields: readonly Field[]) => fields.map(([k, v]) => [k, typeof v === "number" ? v : hex(v)]);

describe("varint.json", () => {
  for (const c of vectors<{ name: string; hex: string; value: number; error?: string; rule: string }>("varint")) {
    test(c.name, () => {
      const r = new Reader(unhex(c.hex));
      if (c.error) {
        expect(() => r.varint("F6", "F6")).toThrow(`rule ${c.rule} `);
        return;
      }
      expect(r.varint()).toBe(c.value);
      expect(r.done).toBe(true);
      const out: number[] = [];
      putVarint(out, c.value);
      expect(hex(Uint8Array.from(out))).toBe(c.hex);
    });
  }
});

describe("fields.json", () => {
  type Case = {
    name: string;
    hex: string;
    fields: VectorField[];
    error?: string;
    rule: string;
    known?: number[];
    repeated?: number[];
  };
  for (const c of vectors<Case>("fields")) {
    test(c.name, () => {
      const single = (c.known ?? []).filter((k) => !c.repeated?.includes(k));
      const parse = () => parseFields(unhex(c.hex), single);
      if (c.error) {
        expect(parse).toThrow(`rule ${c.rule} `);
        return;
      }
      expect(plain(parse())).toEqual(plain(toFields(c.fields)));
      expect(hex(encodeFields(toFields(c.fields)))).toBe(c.hex);
    });
  }
});

const types = ["", "HELLO", "OPEN", "HEADER", "DATA", "END", "RESET", "WINDOW", "ACK", "PING", "PONG", "GOAWAY"];
const flags: Record<string, number> = { END: 0x10, MORE: 0x20, MARK: 0x40, IGNORABLE: 0x80 };

interface VectorFrame {
  type: string;
  flags: string[];
  stream: number;
  payload: string;
  sequenced: boolean;
  skipped?: boolean;
  head?: number;
  cost?: number;
  fields?: VectorField[];
  hello?: Record<string, number | string>;
  goaway?: Record<string, number | string>;
  code?: number;
  reason?: string;
  limit?: number;
  received?: number;
}

function checkFrame(r: Reader, want: VectorFrame): void {
  const start = r.at;
  const got = readFrame(r, 32_768);
  const type = types.includes(want.type) ? types.indexOf(want.type) : Number(want.type);
  const bits = want.flags.reduce((sum, name) => sum | (flags[name] as number), 0);
  const head = want.head ?? type | bits;
  expect(hex(encodeFrame(head, want.stream, unhex(want.payload)))).toBe(hex(r.bytes.subarray(start, r.at)));
  expect(isSequenced(type)).toBe(want.sequenced);
  if (want.skipped) {
    expect(got).toBeUndefined();
    return;
  }
  expect(got && { ...got, payload: hex(got.payload) }).toEqual({ type, flags: bits, id: want.stream, payload: want.payload });
  const payload = unhex(want.payload);
  if (want.cost) expect(payload.length + FRAME_COST).toBe(want.cost);
  if (want.fields) expect(plain(parseFields(payload, []))).toEqual(plain(toFields(want.fields)));
  if (want.hello) expect(named(parseHello(payload), want.hello)).toEqual(want.hello);
  if (want.goaway) expect(named(parseGoaway(payload), want.goaway)).toEqual(want.goaway);
  if (want.type === "WINDOW") expect(readNumber(payload)).toBe(want.limit);
  if (want.type === "RESET") expect(readReset(payload)).toEqual([want.code, want.reason]);
  if (want.type === "ACK") expect(readNumber(payload)).toBe(want.received);
}

/** What a parsed block says under the names of the vectors, as far as they name it. */
function named(got: object, want: object): object {
  const all = { ...got, ...("settings" in got ? (got.settings as object) : {}) } as Record<string, unknown>;
  const value = (key: string) => {
    const v = all[key.replace(/_./g, (m) => (m[1] as string).toUpperCase())];
    return v instanceof Uint8Array ? hex(v) : v;
  };
  // A dialer does not use the peer's agent, and gets none of the others.
  const ignored = ["agent", "attempt", "replaces", "replaces_token"];
  const unread = Object.fromEntries(Object.entries(want).filter(([key]) => ignored.includes(key)));
  return { ...Object.fromEntries(Object.keys(want).map((key) => [key, value(key)])), ...unread };
}

for (const file of ["frames", "messages"]) {
  describe(`${file}.json`, () => {
    for (const c of vectors<{ name: string; hex: string; frames: VectorFrame[] }>(file)) {
      test(c.name, () => {
        const r = new Reader(unhex(c.hex));
        for (const frame of c.frames) checkFrame(r, frame);
        expect(r.done).toBe(true);
      });
    }
  });
}

describe("exchange.json", () => {
  type Step = { name: string; kind: string; hex: string; frames: VectorFrame[] };
  for (const c of vectors<Step>("exchange").filter((step) => step.kind === "message")) {
    test(c.name, () => {
      const r = new Reader(unhex(c.hex));
      for (const frame of c.frames) checkFrame(r, frame);
      expect(r.done).toBe(true);
    });
  }
});

describe("codec.json", () => {
  for (const c of vectors<{ name: string; codec: string; hex: string; means?: string }>("codec")) {
    test(c.name, () => {
      const codec = c.codec === "json" ? json : proto;
      const read = () => decode(codec, TypeSchema, { bytes: unhex(c.hex), mark: false });
      if (c.means === undefined) expect(read).toThrow(expect.objectContaining({ code: Code.Internal }));
      else expect(hex(toBinary(TypeSchema, read(), { writeUnknownFields: false }))).toBe(c.means);
    });
  }
});

describe("rpc.json", () => {
  interface Case {
    name: string;
    block: "OPEN" | "HEADER" | "END";
    hex: string;
    fields: VectorField[];
    error?: string;
    means_status?: number;
    call: {
      method?: string;
      method_alias?: number;
      timeout?: number;
      codec?: string;
      encoding?: string;
      accept_encoding?: string;
      metadata?: { key: string; value: string }[];
      status?: number;
      message?: string;
      details?: string[];
    };
  }
  const pairs = (got: readonly Pair[]) => got.map(([key, value]) => ({ key, value: hex(value) }));
  for (const c of vectors<Case>("rpc")) {
    test(c.name, () => {
      const block = unhex(c.hex);
      if (c.error) {
        const parse = { OPEN: parseOpen, HEADER: parseHeader, END: parseEnd }[c.block];
        if (c.error === "too-many-pairs") expect(() => parse(block)).toThrow("rule R20 ");
        else expect(() => parse(block)).toThrow();
        return;
      }
      const { call } = c;
      if (c.block === "OPEN") {
        const open = parseOpen(block);
        expect({ ...open, pairs: pairs(open.pairs) }).toEqual({
          method: call.method ?? "",
          alias: call.method_alias ?? 0,
          timeout: call.timeout,
          codec: call.codec || "proto",
          encoding: call.encoding ?? "",
          accepted: (call.accept_encoding ?? "").split(","),
          pairs: call.metadata ?? [],
        });
        const ours = !call.accept_encoding && c.fields.every((f) => f.key < 1000);
        if (ours) {
          const again = encodeOpen(
            call.method || (call.method_alias as number),
            call.timeout,
            { name: open.codec, ...(open.encoding && { encoding: open.encoding }) },
            toFields(c.fields).filter((f) => f[0] === 9),
          );
          expect(parseOpen(again)).toEqual(open);
        }
      } else if (c.block === "HEADER") {
        const header = parseHeader(block);
        expect(header.encoding).toBe(call.encoding ?? "");
        expect(pairs(header.pairs)).toEqual(call.metadata ?? []);
      } else {
        const end = parseEnd(block);
        expect({ ...end, pairs: pairs(end.pairs), details: end.details.map(hex) }).toEqual({
          status: call.status ?? 0,
          message: call.message ?? "",
          pairs: call.metadata ?? [],
          details: call.details ?? [],
          alias: call.method_alias ?? 0,
        });
        if (c.means_status) expect(toCode(end.status)).toBe(c.means_status);
      }
    });
  }
});
