import type { Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { METADATA } from "./frametype.js";
import { MAX_PAIRS } from "./limits.js";
import { base64Decode, base64Encode } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { concat, fromUTF8, putBytes, Reader, RuleError, utf8 } from "./varint.js";

const isKey = (key: string): boolean => /^[a-z0-9_.-]+$/.test(key);
const isReserved = (key: string): boolean => key.startsWith("parley-");
const isBinary = (key: string): boolean => key.endsWith("-bin");
const isText = (value: string): boolean => /^[\x20-\x7e]*$/.test(value);

/** Creates Headers from what a caller has given. It throws a ParleyError if they are invalid. */
export function toHeaders(init: HeadersInit | undefined): Headers {
  try {
    return new Headers(init);
  } catch (e) {
    throw new ParleyError(`headers: ${(e as Error).message}`, Code.InvalidArgument, { cause: e });
  }
}

/**
 * Encodes metadata fields (PROTOCOL.md, section 11.5). A name that ends in "-bin" has a base64 value, or several separated by
 * commas; other values are printable ASCII.
 */
export function fromHeaders(headers: Headers): Field[] {
  const fields: Field[] = [];
  const add = (key: string, value: Uint8Array) => {
    const head: number[] = [];
    putBytes(head, utf8(key));
    fields.push([METADATA, concat([head, value])]);
  };
  const invalid = (what: string) => new ParleyError(`headers: ${what}`, Code.InvalidArgument);
  for (const [key, value] of headers) {
    if (!isKey(key) || isReserved(key)) throw invalid(`the name ${key} is reserved, or not of a-z 0-9 _ - .`);
    if (!isBinary(key)) {
      if (!isText(value)) throw invalid(`the value of ${key} is not printable ASCII`);
      add(key, utf8(value));
      continue;
    }
    for (const part of value.split(",")) {
      try {
        add(key, base64Decode(part.trim()));
      } catch {
        throw invalid(`the value of ${key} is not base64`);
      }
    }
  }
  if (fields.length > MAX_PAIRS) throw new ParleyError(`headers: more than ${MAX_PAIRS}`, Code.ResourceExhausted);
  return fields;
}

/** Returns the status code for a block that breaks a rule. */
export const ruleCode = (e: unknown): StatusCode =>
  e instanceof RuleError && e.rule === "R20" ? Code.ResourceExhausted : Code.Internal;

/** A key and a value on the wire. */
export type Pair = readonly [key: string, value: Uint8Array];

/** Parses the metadata fields of a block. */
export function readPairs(fields: readonly Field[]): Pair[] {
  const metadata = fields.filter((f) => f[0] === METADATA);
  if (metadata.length > MAX_PAIRS) throw new RuleError("R20");
  return metadata.map(([, field]) => {
    const r = new Reader(field as Uint8Array);
    const key = fromUTF8(r.take(r.varint("R3", "R3"), "R3"));
    const value = r.bytes.subarray(r.at);
    if (!isKey(key) || !(isBinary(key) || isText(fromUTF8(value)))) {
      throw new RuleError("R3");
    }
    return [key, value] as const;
  });
}

/** Creates Headers from pairs, without reserved keys. */
export function pairsToHeaders(pairs: readonly Pair[]): Headers {
  const headers = new Headers();
  for (const [key, value] of pairs) {
    if (isReserved(key)) continue;
    headers.append(key, isBinary(key) ? base64Encode(value, "std_raw") : fromUTF8(value));
  }
  return headers;
}
