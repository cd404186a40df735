import type { DescMessage, MessageShape, Registry } from "@bufbuild/protobuf";
import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import { fromBinary, toBinary } from "./protobuf.js";
import type { Message } from "./stream.js";

/** Turns messages into bytes. Both ends have to know its name. */
export interface Codec {
  readonly name: string;
  encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array;
  decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D>;
  /** Returns the codec with types that messages do not name by themselves. A connection asks for it if it has a registry. */
  withRegistry?(registry: Registry): Codec;
}

/** The binary form of Protocol Buffers. */
export const proto: Codec = {
  name: "proto",
  encode: (schema, message) => toBinary(schema, message),
  decode: (schema, bytes) => fromBinary(schema, bytes),
};

/** Reads a message that was received, or says why that cannot be. */
export function decode<D extends DescMessage>(codec: Codec, schema: D, { bytes, mark }: Message): MessageShape<D> {
  try {
    if (mark) throw new Error("it is compressed, which was not negotiated");
    return codec.decode(schema, bytes);
  } catch (e) {
    throw new ParleyError(`cannot decode a message: ${(e as Error).message}`, Code.Internal, { cause: e });
  }
}
