// All that is used of protobuf-es, in one place.
export { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
export { BinaryReader, BinaryWriter, base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
export { type Any, AnySchema, DurationSchema } from "@bufbuild/protobuf/wkt";
