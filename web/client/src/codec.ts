import type { DescMessage, MessageShape, Registry } from "@bufbuild/protobuf";
import { ParleyError } from "./error.js";
import { fromBinary, toBinary } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import type { Message, Stream } from "./stream.js";

/** Encodes and decodes messages. Both ends must know its name. */
export interface Codec {
  readonly name: string;
  encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array;
  decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D>;
  /** Returns the codec with types that messages do not describe themselves. A connection calls it if it has a registry. */
  withRegistry?(registry: Registry): Codec;
  /**
   * The compression of messages; see `gzip`.
   * @internal
   */
  readonly encoding?: string;
  /**
   * Compresses what a stream sends, and inflates what it receives. It follows the stream's callbacks. The encoding is what the
   * peer has announced.
   * @internal
   */
  attach?(stream: Stream, encoding?: string): void;
}

/** The binary format of Protocol Buffers. */
export const proto: Codec = {
  name: "proto",
  encode: toBinary,
  decode: fromBinary,
};

/** Decodes a received message. It throws a ParleyError if that fails. */
export function decode<D extends DescMessage>(codec: Codec, schema: D, { bytes, mark }: Message): MessageShape<D> {
  try {
    if (mark) throw new Error("compressed without agreement");
    return codec.decode(schema, bytes);
  } catch (e) {
    throw new ParleyError(`decode message: ${(e as Error).message}`, Code.Internal, { cause: e });
  }
}
