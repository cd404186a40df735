// All that is used of protobuf-es, in one place.
export { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
export { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
export { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
