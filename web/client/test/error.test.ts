import { create, fromBinary } from "@bufbuild/protobuf";
import { AnySchema, DurationSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { unhex } from "../../testing/vectors.js";
import { Code, ParleyError, retryAfter, retryLater } from "../src/index.js";

test("no error says undefined, whatever it is made of", () => {
  for (const reason of [
    undefined,
    null,
    "",
    0,
    Symbol("x"),
    {},
    Object.create(null),
    { message: undefined },
    { message: 7, name: undefined },
    new Error(),
    new Error("text"),
    new AggregateError([]),
  ]) {
    for (const code of [undefined, Code.Unavailable, 0, 17, Number.NaN, -1, 1.5]) {
      const error = ParleyError.from(reason, code as Code);
      expect(error.message).not.toMatch(/undefined|NaN/);
      expect(Object.values(Code)).toContain(error.code);
      expect(error.cause).toBe(reason);
    }
  }
  expect(new ParleyError(undefined as unknown as string).message).toBe("unknown");
  expect(new ParleyError("text", undefined).message).toBe("unknown: text");
  expect(new ParleyError("text", 99 as Code)).toMatchObject({ message: "unknown: text", code: Code.Unknown });
  expect(ParleyError.from(undefined).message).toBe("unknown: no reason");
});

test("abort and timeout errors have their codes", () => {
  expect(ParleyError.from(new DOMException("late", "TimeoutError"), Code.Internal).code).toBe(Code.DeadlineExceeded);
  expect(ParleyError.from(new DOMException("left", "AbortError"), Code.Internal).code).toBe(Code.Canceled);
});

test("retryLater says when to retry, as Go and gRPC do", () => {
  for (const [ms, text, wire] of [
    [0, "retry later", "0a00"],
    [1500, "retry in 1500 ms", "0a0808011080cab5ee01"],
    [60_000, "retry in 60000 ms", "0a02083c"],
  ] as const) {
    const error = retryLater(ms);
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: text });
    expect(error.details).toMatchObject([{ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: unhex(wire) }]);
    expect(retryAfter(error)).toBe(ms);
  }
  for (const ms of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) expect(retryAfter(retryLater(ms))).toBe(0);
  expect(retryAfter(retryLater(Number.POSITIVE_INFINITY))).toBe(315_576_000_000_000);
  expect(fromBinary(DurationSchema, retryLater(0.25).details[0]?.value.subarray(2) as Uint8Array).nanos).toBe(250_000);
});

test("retryAfter reads what others write, and ignores what is malformed", () => {
  const with_ = (...values: string[]) => {
    const error = new ParleyError("x", Code.ResourceExhausted);
    error.details = values.map((v) => create(AnySchema, { typeUrl: "x/google.rpc.RetryInfo", value: unhex(v) }));
    return error;
  };
  for (const [values, ms] of [
    [["0a020805"], 5000],
    [[""], 0], // no delay
    [["1001" + "0a020805"], 5000], // a field that is not known
    [["0a020805" + "0a031080" + "01"], 5000 + 128 / 1e6], // in two parts
    [["0a05", "0a020805"], 5000], // the first is cut
    [["0a02"], undefined],
    [["0a0b08ffffffffffffffffff01"], undefined], // -1 s
    [["0a0b10ffffffffffffffffff01"], undefined], // -1 ns
    [["0a061080a8d6b907"], undefined], // 2 s of nanoseconds
    [[], undefined],
  ] as [string[], number | undefined][]) {
    expect(retryAfter(with_(...values)), `${values}`).toBe(ms);
  }
  expect(retryAfter(new Error("x"))).toBeUndefined();
  expect(retryAfter(undefined)).toBeUndefined();
  const other = new ParleyError("x").withDetail(DurationSchema, { seconds: 5n });
  expect(retryAfter(other)).toBeUndefined();
});
