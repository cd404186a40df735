import { ParleyError } from "./error.js";
import { encodeFields, type Field, lookup, parseFields } from "./fields.js";
import { fromHeaders, type Pair, readPairs } from "./metadata.js";
import { AnySchema, toBinary } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { cut, fromUTF8, RuleError, utf8 } from "./varint.js";

// The blocks of calls that this end serves.

/** The header of a call's OPEN. */
export interface OpenBlock {
  method: string;
  /** 0: none. */
  alias: number;
  /** In microseconds. */
  timeout: number | undefined;
  codec: string;
  encoding: string;
  /** The compressions that the caller can inflate. */
  accepted: string[];
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
    accepted: fromUTF8(get(7)).split(","),
    pairs: readPairs(fields),
  };
  if (!open.method === !open.alias) throw new RuleError("R2");
  return open;
}

/** Encodes response metadata. Invalid metadata is an INTERNAL error: the caller has not caused it. */
export function metadataFields(headers: Headers): Field[] {
  try {
    return fromHeaders(headers);
  } catch (e) {
    const { rawMessage, code } = ParleyError.from(e);
    throw new ParleyError(rawMessage, code === Code.InvalidArgument ? Code.Internal : code, { cause: e });
  }
}

/**
 * Returns the status of what a method has thrown: a ParleyError, or an Error with a ParleyError among its causes. The latter
 * keeps its own message and has the code and details of the cause. It returns undefined for anything else.
 */
export function statusError(thrown: unknown): ParleyError | undefined {
  try {
    const inner = findStatus(thrown, MAX_CAUSES);
    if (!inner || inner === thrown) return inner;
    const text = (thrown as Error).message.replace(inner.message, () => inner.rawMessage); // drop the code in the middle
    const error = new ParleyError(text || inner.rawMessage, inner.code, { cause: thrown });
    error.details = inner.details;
    return error;
  } catch {
    return undefined; // reading it has thrown
  }
}

/** How deep causes are searched. They may be circular. */
const MAX_CAUSES = 16;

function findStatus(e: unknown, depth: number): ParleyError | undefined {
  if (e instanceof ParleyError) return e;
  if (!(e instanceof Error) || !depth) return undefined;
  for (const cause of [e.cause, ...(e instanceof AggregateError ? e.errors : [])]) {
    const found = findStatus(cause, depth - 1);
    if (found) return found;
  }
  return undefined;
}

/** Encodes an END of at most limit bytes. If necessary, it drops details, then metadata, then the tail of the message. */
export function encodeEnd(error: ParleyError | undefined, trailer: readonly Field[], limit: number): Uint8Array {
  const status: Field[] = error ? [[2, error.code]] : [];
  const message: Field[] = error ? [[1, utf8(error.rawMessage)]] : [];
  const details = (error?.details ?? []).flatMap((detail): Field[] => {
    try {
      return [[11, toBinary(AnySchema, detail)]];
    } catch {
      return []; // not an Any
    }
  });
  for (const fields of [
    [...status, ...message, ...trailer, ...details],
    [...status, ...message, ...trailer],
    [...status, ...message],
  ]) {
    const block = encodeFields(fields);
    if (block.length <= limit) return block;
  }
  return encodeFields([...status, [1, utf8(cut(error?.rawMessage ?? "", limit - 16))]]);
}
