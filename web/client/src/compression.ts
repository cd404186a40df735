import { parseHeader } from "./callwire.js";
import { type Codec, proto } from "./codec.js";
import { ParleyError } from "./error.js";
import { DATA, FLAG_MARK } from "./frametype.js";
import * as Code from "./statuscodes.js";
import type { Message, Stream } from "./stream.js";
import { Turns } from "./turns.js";
import { concat } from "./varint.js";

/** The size in bytes below which a message is not compressed: gzip saves too little on it. */
const MIN_COMPRESSED = 512;

/**
 * The most bytes that the platform gets at once to inflate. It inflates all of that before anything can be read, to at most
 * 1,032 times the size. So a message over the limit takes no more than 8 MiB beyond it.
 */
const MAX_INFLATED_PIECE = 8 << 10;

/**
 * Returns the codec with gzip, by the platform's CompressionStream, which browsers have since 2023, and Node.js. As the codec of
 * a call, it compresses messages in both directions, except those of less than 512 bytes. As the codec of a connection, it also
 * lets calls of the server use gzip. Where the platform has none, it returns the codec itself, which sends messages as they are.
 *
 * Do not compress a secret together with text that others choose: the length reveals the secret.
 */
export function gzip(codec: Codec = proto): Codec {
  if (typeof CompressionStream !== "function" || typeof DecompressionStream !== "function") return codec;
  const { withRegistry } = codec;
  return {
    name: codec.name,
    encode: (schema, message) => codec.encode(schema, message),
    decode: (schema, bytes) => codec.decode(schema, bytes),
    ...(withRegistry && { withRegistry: (registry) => gzip(withRegistry.call(codec, registry)) }),
    encoding: "gzip",
    attach,
  };
}

/** Replaces methods of a stream. The order of messages stays, although the platform compresses asynchronously. */
function attach(stream: Stream, encoding = ""): void {
  const { onHeader, onTrailer, send, end, next } = stream;
  const sending = new Turns();
  const reading = new Turns();
  let announced = encoding;
  let ended = false;
  stream.onHeader = (block, over) => {
    onHeader?.(block, over); // it ends the call if the block is malformed
    announced ||= block && !stream.error ? parseHeader(block).encoding : "";
  };
  stream.onTrailer = (block) => {
    ended = true;
    onTrailer?.(block);
  };
  stream.send = (bytes, last = false) => {
    const isLarge = bytes.length >= MIN_COMPRESSED;
    if (!isLarge && !sending.busy) return send.call(stream, bytes, last);
    let sent: Promise<void> | undefined;
    const step = async () => {
      const packed = isLarge ? await transform(new CompressionStream("gzip"), bytes, bytes.length, Infinity) : bytes;
      sent = packed.length < bytes.length ? stream.queue(DATA | FLAG_MARK, packed, last) : stream.queue(DATA, bytes, last);
    };
    return sending.take(step).then(() => sent);
  };
  stream.end = (trailer) => {
    if (sending.busy) void sending.take(async () => end.call(stream, trailer));
    else end.call(stream, trailer);
  };
  stream.next = () => {
    const arrived = next.call(stream);
    arrived.catch(() => {}); // it may fail while the one before is inflated
    return reading.take(async () => {
      const message = await arrived;
      if (!message?.mark || !announced) return message;
      const inflated = await inflate(message.bytes, stream.session.settings.maxMessage);
      if (stream.error && !ended) throw stream.error; // canceled meanwhile: what had arrived was dropped
      return inflated;
    });
  };
}

/** Inflates a message. If that fails, reading its bytes throws the error, which ends the call. */
export async function inflate(packed: Uint8Array, limit: number): Promise<Message> {
  try {
    const bytes = await transform(new DecompressionStream("gzip"), packed, MAX_INFLATED_PIECE, limit);
    return { bytes, mark: false };
  } catch (e) {
    return {
      get bytes(): Uint8Array {
        throw e instanceof ParleyError
          ? e
          : new ParleyError(`inflate with gzip: ${(e as Error).message}`, Code.Internal, { cause: e });
      },
      mark: false,
    };
  }
}

/** Returns what a platform's stream makes of bytes, of which it gets a piece at a time. */
async function transform(
  { writable, readable }: GenericTransformStream,
  bytes: Uint8Array,
  piece: number,
  limit: number,
): Promise<Uint8Array> {
  const writer = writable.getWriter();
  const reader: ReadableStreamDefaultReader<Uint8Array> = readable.getReader();
  const write = async () => {
    for (let at = 0; at < bytes.length; at += piece) await writer.write(bytes.subarray(at, at + piece));
    await writer.close();
  };
  const written = write();
  written.catch(() => {}); // the reader fails too
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.length;
      if (size > limit) throw new ParleyError(`the message inflates to more than ${limit} bytes`, Code.ResourceExhausted);
      pieces.push(next.value);
    }
    await written;
  } catch (e) {
    writer.abort(e).catch(() => {}); // it may have failed already
    reader.cancel(e).catch(() => {});
    throw e;
  }
  return pieces.length === 1 ? pieces[0]! : concat(pieces);
}
