import { putBytes, putVarint, Reader, RuleError } from "./varint.js";

/** A key and its value: a number for an even key, bytes for an odd one. */
export type Field = readonly [key: number, value: number | Uint8Array];

/** Parses a fields block (PROTOCOL.md, section 2.2). It returns all fields in order. A key in `single` must not repeat. */
export function parseFields(block: Uint8Array, single: readonly number[]): Field[] {
  const r = new Reader(block);
  const fields: Field[] = [];
  const seen = new Set<number>();
  while (!r.done) {
    const key = r.varint("B4", "B3");
    if (key === 0) throw new RuleError("B1");
    if (seen.has(key) && single.includes(key)) throw new RuleError("B2");
    seen.add(key);
    const n = r.varint("B4", "B3");
    fields.push([key, key % 2 ? r.take(n, "B3") : n]);
  }
  return fields;
}

export function encodeFields(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  for (const [key, value] of fields) {
    putVarint(out, key);
    if (typeof value === "number") putVarint(out, value);
    else putBytes(out, value);
  }
  return Uint8Array.from(out);
}

/** Returns a function that looks up the first value of a key. */
export const lookup = (fields: readonly Field[]) => (key: number) => fields.find((f) => f[0] === key)?.[1];
