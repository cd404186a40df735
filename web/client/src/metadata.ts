import type { Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { METADATA } from "./frametype.js";
import { MAX_PAIRS } from "./limits.js";
import { base64Decode, base64Encode } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { concat, fromUTF8, putBytes, Reader, RuleError, utf8 } from "./varint.js";

export const isKey = (key: string): boolean => /^[a-z0-9_.-]+$/.test(key);
const isReserved = (key: string): boolean => key.startsWith("parley-");
export const isBinary = (key: string): boolean => key.endsWith("-bin");
export const isText = (value: string): boolean => /^[\x20-\x7e]*$/.test(value);

/** Headers that arrived. `get` joins the values of a name, and `getAll` returns each. */
export interface ReceivedHeaders extends Headers {
  getAll(name: string): string[];
}

export function pairField([key, value]: Pair): Field {
  const head: number[] = [];
  putBytes(head, utf8(key));
  return [METADATA, concat([head, value])];
}

/**
 * Encodes metadata fields (PROTOCOL.md, section 11.5). A name that ends in "-bin" has a base64 value, or several separated by
 * commas; other values are printable ASCII.
 */
export function fromHeaders(headers: HeadersInit): Field[] {
  const fields: Field[] = [];
  const invalid = (what: string) => new ParleyError(`headers: ${what}`, Code.InvalidArgument);
  for (const [name, value] of (Symbol.iterator in headers ? headers : Object.entries(headers)) as Iterable<[string, string]>) {
    const key = name.toLowerCase();
    if (!isKey(key) || isReserved(key)) throw invalid(`the name ${key} is reserved, or not of a-z 0-9 _ - .`);
    const binary = isBinary(key);
    if (!binary && !isText(value)) throw invalid(`the value of ${key} is not printable ASCII`);
    for (const part of binary ? value.split(",") : [value]) {
      try {
        fields.push(pairField([key, (binary ? base64Decode : utf8)(part.trim())]));
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

/** Creates headers from pairs, without reserved keys. */
export function pairsToHeaders(pairs: readonly Pair[]): ReceivedHeaders {
  const texts = pairs.flatMap(([key, value]): [string, string][] =>
    isReserved(key) ? [] : [[key, isBinary(key) ? base64Encode(value, "std_raw") : fromUTF8(value)]],
  );
  const getAll = (name: string) => texts.flatMap(([key, value]) => (key === name.toLowerCase() ? value : []));
  return Object.assign(new Headers(texts), { getAll });
}
