import { toCode } from "./code.js";
import type { Codec } from "./codec.js";
import { ParleyError } from "./error.js";
import { encodeFields, type Field, lookup, parseFields } from "./fields.js";
import { type Pair, readPairs } from "./metadata.js";
import { AnySchema, fromBinary } from "./protobuf.js";
import { fromUTF8, utf8 } from "./varint.js";

// The blocks of calls (PROTOCOL.md, sections 11.1 to 11.3).

export function encodeOpen(
  method: string | number,
  timeout: number | undefined,
  { name, encoding }: Pick<Codec, "name" | "encoding">,
  metadata: readonly Field[],
): Uint8Array {
  const fields: Field[] = [typeof method === "number" ? [2, method] : [1, utf8(method)]];
  if (timeout !== undefined) fields.push([4, timeout]);
  if (name !== "proto") fields.push([3, utf8(name)]);
  if (encoding) fields.push([5, utf8(encoding)]);
  return encodeFields([...fields, ...metadata]);
}

/** Parses a response header. */
export function parseHeader(block: Uint8Array): { encoding: string; pairs: Pair[] } {
  const fields = parseFields(block, [5]);
  return { encoding: fromUTF8(lookup(fields)(5)), pairs: readPairs(fields) };
}

/** The end of a call as the server sends it. */
export interface EndBlock {
  /** The number on the wire. */
  status: number;
  message: string;
  pairs: Pair[];
  details: Uint8Array[];
  alias: number;
}

export function parseEnd(block: Uint8Array): EndBlock {
  const fields = parseFields(block, [1, 2, 6]);
  const get = lookup(fields);
  return {
    status: (get(2) as number) ?? 0,
    message: fromUTF8(get(1)),
    pairs: readPairs(fields),
    details: fields.flatMap(([key, value]) => (key === 11 ? [value as Uint8Array] : [])),
    alias: (get(6) as number) ?? 0,
  };
}

/** Returns the error of an END, or undefined if its status is OK. Details that do not parse are left out. */
export function endError(end: EndBlock): ParleyError | undefined {
  if (!end.status) return undefined;
  const error = new ParleyError(end.message, toCode(end.status));
  for (const detail of end.details) {
    try {
      error.details.push(fromBinary(AnySchema, detail));
    } catch {
      // PROTOCOL.md, R15: the status counts.
    }
  }
  return error;
}
