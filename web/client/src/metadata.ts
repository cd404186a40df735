import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { base64Decode, base64Encode } from "./protobuf.js";
import { concat, fromUTF8, putVarint, Reader, RuleError, utf8 } from "./varint.js";

const METADATA = 9;
const MOST_PAIRS = 256;

const isKey = (key: string): boolean => /^[a-z0-9_.-]+$/.test(key);
const isText = (value: string): boolean => /^[\x20-\x7e]*$/.test(value);

/** A block has more pairs than anybody has to read (PROTOCOL.md, R20). */
export class TooManyPairs extends Error {}

/** Makes Headers of what a caller has given, or says what is wrong with it. */
export function toHeaders(init: HeadersInit | undefined): Headers {
  try {
    return new Headers(init);
  } catch (e) {
    throw new ParleyError(`headers: ${(e as Error).message}`, Code.InvalidArgument, { cause: e });
  }
}

/**
 * Makes metadata fields (PROTOCOL.md, section 11.5). A name that ends in "-bin" has base64 as its value, or several
 * separated by commas; other values are printable ASCII.
 */
export function fromHeaders(headers: Headers): Field[] {
  const fields: Field[] = [];
  const add = (key: string, value: Uint8Array) => {
    const head: number[] = [];
    putVarint(head, key.length);
    fields.push([METADATA, concat([head, utf8(key), value])]);
  };
  const wrong = (what: string) => new ParleyError(`headers: ${what}`, Code.InvalidArgument);
  for (const [key, value] of headers) {
    if (!isKey(key)) throw wrong(`the name ${JSON.stringify(key)} may have only a-z, 0-9, "_", "-" and "."`);
    if (key.startsWith("parley-")) throw wrong(`the name ${key} is reserved`);
    if (!key.endsWith("-bin")) {
      if (!isText(value))
        throw wrong(`the value of ${key} may have only printable ASCII; other text fits under a name that ends in -bin`);
      add(key, utf8(value));
      continue;
    }
    for (const part of value.split(",")) {
      try {
        add(key, base64Decode(part.trim()));
      } catch {
        throw wrong(`the value of ${key} has to be base64`);
      }
    }
  }
  if (fields.length > MOST_PAIRS) throw new ParleyError(`headers: more than ${MOST_PAIRS}`, Code.ResourceExhausted);
  return fields;
}

/** A pair as it is on the wire. */
export type Pair = readonly [key: string, value: Uint8Array];

/** Reads the metadata fields of a block. */
export function readPairs(fields: readonly Field[]): Pair[] {
  const own = fields.filter((f) => f[0] === METADATA);
  if (own.length > MOST_PAIRS) throw new TooManyPairs(`more than ${MOST_PAIRS} pairs of metadata`);
  return own.map(([, field]) => {
    const r = new Reader(field as Uint8Array);
    const key = fromUTF8(r.take(r.varint("R3", "R3"), "R3"));
    const value = r.bytes.subarray(r.at);
    if (!isKey(key) || !(key.endsWith("-bin") || value.every((c) => c >= 0x20 && c < 0x7f))) {
      throw new RuleError("R3");
    }
    return [key, value] as const;
  });
}

/** Makes Headers of pairs, without those that are reserved. */
export function pairsToHeaders(pairs: readonly Pair[]): Headers {
  const headers = new Headers();
  for (const [key, value] of pairs) {
    if (key.startsWith("parley-")) continue;
    headers.append(key, key.endsWith("-bin") ? base64Encode(value, "std_raw") : fromUTF8(value));
  }
  return headers;
}
