import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import { encodeFields, type Field, lookup, parseFields } from "./fields.js";
import { fromHeaders, type Pair, readPairs } from "./metadata.js";
import { AnySchema, toBinary } from "./protobuf.js";
import { cut, fromUTF8, RuleError, utf8 } from "./varint.js";

// The blocks of calls that this end serves.

/** What a caller says of its call. */
export interface OpenBlock {
  method: string;
  /** 0: none. */
  alias: number;
  /** Microseconds. */
  timeout: number | undefined;
  codec: string;
  encoding: string;
  pairs: Pair[];
}

export function parseOpen(block: Uint8Array): OpenBlock {
  const fields = parseFields(block, [1, 2, 3, 4, 5, 7]);
  const get = lookup(fields);
  const open = {
    method: fromUTF8(get(1)),
    alias: (get(2) as number) ?? 0,
    timeout: get(4) as number | undefined,
    codec: fromUTF8(get(3)) || "proto",
    encoding: fromUTF8(get(5)),
    pairs: readPairs(fields),
  };
  if (!open.method === !open.alias) throw new RuleError("R2");
  return open;
}

/** Writes an END of at most so many bytes: details go first, then metadata, then the tail of the message. */
export function encodeEnd(error: ParleyError | undefined, trailer: Headers, most: number): Uint8Array {
  const status: Field[] = error ? [[2, error.code]] : [];
  const message: Field[] = error ? [[1, utf8(error.rawMessage)]] : [];
  let metadata: Field[] = [];
  try {
    metadata = fromHeaders(trailer);
  } catch (e) {
    if (!error) return encodeEnd(ParleyError.from(e, Code.Internal), new Headers(), most);
  }
  const details: Field[] = (error?.details ?? []).map((d) => [11, toBinary(AnySchema, d)]);
  const tries = [
    [...status, ...message, ...metadata, ...details],
    [...status, ...message, ...metadata],
    [...status, ...message],
  ];
  for (const fields of tries) {
    const block = encodeFields(fields);
    if (block.length <= most) return block;
  }
  return encodeFields([...status, [1, utf8(cut(error?.rawMessage ?? "", most - 16))]]);
}
