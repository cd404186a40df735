import { create, createFileRegistry, createRegistry, type DescExtension, type DescMessage, type DescMethodUnary, getExtension, type Registry, setExtension } from "@bufbuild/protobuf"; // biome-ignore format: one line
import { AnySchema, anyPack, anyUnpack, FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorProtoSchema, StringValueSchema } from "@bufbuild/protobuf/wkt"; // biome-ignore format: one line
import { expect, test } from "vitest";
import { PingResponseSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { type Codec, Connection, json, proto } from "../src/index.js";

const registry = createRegistry(StringValueSchema, PingResponseSchema);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const offline = (options: { codec?: Codec; registry?: Registry }) => new Connection("ws://127.0.0.1:1/rpc", options);

test("JSON carries google.protobuf.Any of the types that a connection has a registry of", () => {
  const { codec } = offline({ codec: json, registry });
  for (const [any, wire] of [
    [anyPack(StringValueSchema, create(StringValueSchema, { value: "x" })), "google.protobuf.StringValue"],
    [anyPack(PingResponseSchema, create(PingResponseSchema, { text: "x" })), "parley.ping.v1.PingResponse"],
  ] as const) {
    const bytes = codec.encode(AnySchema, any);
    expect(JSON.parse(text(bytes))).toMatchObject({ "@type": `type.googleapis.com/${wire}` });
    expect(anyUnpack(codec.decode(AnySchema, bytes), registry)).toEqual(anyUnpack(any, registry));
    expect(() => json.encode(AnySchema, any)).toThrow("not in the type registry");
  }
});

test("JSON carries extensions of the types in the registry", () => {
  const { message, extension, types } = extended();
  const { codec } = offline({ codec: json, registry: types });
  const one = create(message);
  setExtension(one, extension, "hello");
  const bytes = codec.encode(message, one);
  expect(text(bytes)).toBe('{"[t.note]":"hello"}');
  expect(getExtension(codec.decode(message, bytes), extension)).toBe("hello");
  expect(text(json.encode(message, one))).toBe("{}");
});

test("the registry applies to any codec that takes one", async () => {
  const given: Registry[] = [];
  const noted: Codec = {
    ...json,
    withRegistry(r) {
      given.push(r);
      return json;
    },
  };
  const connection = offline({ registry });
  expect(connection.codec).toBe(proto);
  const call = connection.call(PingService.method.ping as DescMethodUnary, { codec: noted });
  expect(given).toEqual([registry]);
  call.cancel();
  expect(offline({ codec: { ...json, withRegistry: undefined } as unknown as Codec, registry }).codec.name).toBe("json");
  expect(offline({ codec: json }).codec).toBe(json);
});

/** A message of proto2 with an extension. */
function extended(): { message: DescMessage; extension: DescExtension; types: Registry } {
  const file = create(FileDescriptorProtoSchema, {
    name: "t.proto",
    package: "t",
    syntax: "proto2",
    messageType: [{ name: "Open", extensionRange: [{ start: 100, end: 200 }] }],
    extension: [
      {
        name: "note",
        number: 100,
        extendee: ".t.Open",
        label: FieldDescriptorProto_Label.OPTIONAL,
        type: FieldDescriptorProto_Type.STRING,
        jsonName: "note",
      },
    ],
  });
  const types = createFileRegistry(file, () => undefined);
  return { message: types.getMessage("t.Open") as DescMessage, extension: types.getExtension("t.note") as DescExtension, types };
}
