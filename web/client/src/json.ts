import { fromJsonString, type Registry, toJsonString } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import { utf8 } from "./varint.js";

/** Strings must be valid UTF-8. */
const strict = /* @__PURE__ */ new TextDecoder(undefined, { ignoreBOM: true, fatal: true });

const jsonWith = (options: { registry?: Registry }): Codec => ({
  name: "json",
  encode: (schema, message) => utf8(toJsonString(schema, message, options)),
  decode: (schema, bytes) => fromJsonString(schema, strict.decode(bytes), { ignoreUnknownFields: true, ...options }),
  withRegistry: (registry) => jsonWith({ registry }),
});

/**
 * The JSON format of Protocol Buffers, which is readable in a browser's tools. It supports google.protobuf.Any and extensions
 * of the types in its registry.
 */
export const json: Codec = /* @__PURE__ */ jsonWith({});
