// What each page uses of protobuf-es, in one place. A bundle names all of it.
export { create, fromBinary, toBinary } from "@bufbuild/protobuf";
export { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
export { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
