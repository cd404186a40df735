// @vitest-environment happy-dom
import {
  clone,
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethodServerStreaming,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  StructSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { useStream } from "@parley-rpc/react";
import { renderHook } from "@testing-library/react";
import { StrictMode } from "react";
import { expect, test } from "vitest";
import { isSameMessage } from "../src/stable.js";
import { FakeConnection } from "./fake.js";

/** A service whose request has a field of each sort. */
function describe(): { request: DescMessage; method: DescMethodServerStreaming } {
  const field = (name: string, number: number, type: Type, more: object = {}) => ({
    name,
    number,
    type,
    label: Label.OPTIONAL,
    jsonName: name,
    ...more,
  });
  const entry = {
    name: "LimitsEntry",
    field: [field("key", 1, Type.STRING), field("value", 2, Type.DOUBLE)],
    options: { mapEntry: true },
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "t/v1/t.proto",
    package: "t.v1",
    syntax: "proto3",
    messageType: [
      {
        name: "Watch",
        nestedType: [entry],
        oneofDecl: [{ name: "_maybe" }, { name: "choice" }],
        field: [
          field("above", 1, Type.DOUBLE),
          field("maybe", 2, Type.DOUBLE, { proto3Optional: true, oneofIndex: 0 }),
          field("limits", 3, Type.MESSAGE, { label: Label.REPEATED, typeName: ".t.v1.Watch.LimitsEntry" }),
          field("key", 4, Type.BYTES),
          field("since", 5, Type.INT64),
          field("page", 6, Type.INT32),
          field("inner", 7, Type.MESSAGE, { typeName: ".t.v1.Watch" }),
          field("many", 8, Type.DOUBLE, { label: Label.REPEATED }),
          field("left", 9, Type.STRING, { oneofIndex: 1 }),
          field("right", 10, Type.STRING, { oneofIndex: 1 }),
        ],
      },
    ],
    service: [
      { name: "Sensor", method: [{ name: "Watch", inputType: ".t.v1.Watch", outputType: ".t.v1.Watch", serverStreaming: true }] },
    ],
  });
  const registry = createFileRegistry(file, () => undefined);
  return {
    request: registry.getMessage("t.v1.Watch") as DescMessage,
    method: registry.getService("t.v1.Sensor")?.method.watch as DescMethodServerStreaming,
  };
}

const { request, method } = describe();
const make = (init: object): Message => create(request, init as never);
/** A message with a field that this end does not know. */
const withUnknown = (init: object, value: number) =>
  fromBinary(request, Uint8Array.of(...toBinary(request, make(init)), 0xf8, 0x01, value));

test("requests that say the same are one request", () => {
  const bytes = () => Uint8Array.of(1, 2, 3);
  for (const [a, b] of [
    [{ above: Number.NaN }, { above: Number.NaN }],
    [{ maybe: Number.NaN }, { maybe: Number.NaN }],
    [{ many: [Number.NaN, 1] }, { many: [Number.NaN, 1] }],
    [{ inner: make({ above: Number.NaN }) }, { inner: make({ above: Number.NaN }) }],
    [{ limits: { a: 1, b: Number.NaN } }, { limits: { b: Number.NaN, a: 1 } }],
    [{ key: bytes() }, { key: bytes() }],
    [{ key: bytes() }, { key: bytes().subarray(0) }],
    [{ since: 7n }, { since: 7n }],
    [{ page: 0 }, { page: -0 }],
    [{ above: -0 }, { above: -0 }],
    [{ choice: { case: "left", value: "x" } }, { choice: { case: "left", value: "x" } }],
  ]) {
    expect(isSameMessage(request, make(a as object), make(b as object)), JSON.stringify(Object.keys(a as object))).toBe(true);
  }
  expect(isSameMessage(request, withUnknown({ page: 1 }, 5), withUnknown({ page: 1 }, 5))).toBe(true);
  const plain = make({ page: 1 });
  const emptied = clone(request, plain);
  emptied.$unknown = [];
  expect(isSameMessage(request, plain, emptied)).toBe(true);
  const struct = (init: object) => create(StructSchema, init as never);
  const numberValue = (value: number) => ({ kind: { case: "numberValue", value } });
  expect(
    isSameMessage(
      StructSchema,
      struct({ fields: { a: numberValue(1), b: numberValue(2) } }),
      struct({ fields: { b: numberValue(2), a: numberValue(1) } }),
    ),
  ).toBe(true);
});

test("requests that differ are two", () => {
  for (const [a, b] of [
    [{ above: 1 }, { above: 2 }],
    [{ above: 0 }, { above: -0 }],
    [{ maybe: 0 }, {}],
    [{ maybe: 0 }, { maybe: -0 }],
    [{ limits: { a: 1 } }, { limits: { a: 1, b: 0 } }],
    [{ limits: { a: 1 } }, { limits: { b: 1 } }],
    [{ key: Uint8Array.of(1) }, { key: Uint8Array.of(1, 0) }],
    [{ since: 7n }, { since: 8n }],
    [{ many: [1] }, { many: [1, 1] }],
    [{ choice: { case: "left", value: "x" } }, { choice: { case: "right", value: "x" } }],
  ]) {
    expect(isSameMessage(request, make(a as object), make(b as object)), JSON.stringify(Object.keys(a as object))).toBe(false);
  }
  expect(isSameMessage(request, withUnknown({}, 5), withUnknown({}, 6))).toBe(false);
  expect(isSameMessage(request, withUnknown({}, 5), make({}))).toBe(false);
  expect(isSameMessage(request, make({ page: 2 ** 40 }), make({ page: 2 ** 41 }))).toBe(false); // neither can be sent
});

test("a hook makes one call for requests that are equal, whatever is in them", () => {
  let turn = 0;
  for (const init of [
    () => ({ above: Number.NaN }),
    () => ({ above: -0, page: -0, since: 5n, key: new Uint8Array(3) }),
    () => ({ limits: Object.fromEntries(turn++ % 2 ? [["a", 1], ["b", Number.NaN]] : [["b", Number.NaN], ["a", 1]]) }), // biome-ignore format: one line
    () => withUnknown({ page: 1 }, 5),
    () => ({ page: 2 ** 40 }),
  ]) {
    const one = new FakeConnection();
    const { rerender, unmount } = renderHook(() => useStream(method, init() as never, { connection: one.real }), {
      wrapper: StrictMode,
    });
    for (let i = 0; i < 5; i++) rerender();
    expect(one.calls.length).toBe(2); // strict mode makes each call twice
    expect(one.open.length).toBe(1);
    unmount();
  }
});

test("a request that never stays the same is no endless loop of renders", () => {
  const one = new FakeConnection();
  let n = 0n;
  const { rerender } = renderHook(() => useStream(method, { since: n++ } as never, { connection: one.real }));
  rerender();
  expect(one.open.length).toBe(1);
});
