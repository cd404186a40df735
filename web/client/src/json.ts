import { fromJsonString, type Registry, toJsonString } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import { utf8 } from "./varint.js";

/** Text of an application has to be valid. */
const strict = /* @__PURE__ */ new TextDecoder(undefined, { ignoreBOM: true, fatal: true });

const jsonWith = (options: { registry?: Registry }): Codec => ({
  name: "json",
  encode: (schema, message) => utf8(toJsonString(schema, message, options)),
  decode: (schema, bytes) => fromJsonString(schema, strict.decode(bytes), { ignoreUnknownFields: true, ...options }),
  withRegistry: (registry) => jsonWith({ registry }),
});

/**
 * The JSON mapping of Protocol Buffers, which can be read in a browser's tools. It carries google.protobuf.Any and extensions
 * of the types in the registry that it has.
 */
export const json: Codec = /* @__PURE__ */ jsonWith({});
