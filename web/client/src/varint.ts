/** The error of a peer that breaks a rule of PROTOCOL.md, section 14, with the close code for the link. */
export class RuleError extends Error {
  declare readonly rule: string;
  declare readonly code: number;

  constructor(rule: string, code = 1002) {
    super(`the peer broke rule ${rule} of the protocol`);
    this.rule = rule;
    this.code = code;
  }
}

/** The largest value of a varint. */
export const MAX_VALUE = Number.MAX_SAFE_INTEGER;

/** Reads varints and bytes (PROTOCOL.md, section 2.1). It throws a RuleError if they are malformed. */
export class Reader {
  at = 0;
  declare readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Reads a varint. A malformed one breaks rule; a truncated one breaks cut. */
  varint(rule = "F6", cut = "F9"): number {
    let value = 0;
    for (let i = 0, scale = 1; ; i++, scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RuleError(cut);
      if (i && (!byte || (i === 7 && byte > 0x0f))) throw new RuleError(rule); // not minimal, or too large
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  /** Returns the next n bytes without copying them. */
  take(n: number, rule: string): Uint8Array {
    if (n > this.bytes.length - this.at) throw new RuleError(rule);
    return this.bytes.subarray(this.at, (this.at += n));
  }
}

/** Appends a value from 0 to 2^53-1 as a varint. */
export function putVarint(out: number[], value: number): void {
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
  out.push(value);
}

/** Appends bytes after their length. */
export function putBytes(out: number[], bytes: Uint8Array): void {
  putVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

export function concat(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder(undefined, { ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** Decodes UTF-8. Invalid bytes become U+FFFD (PROTOCOL.md, section 2.3). */
export const fromUTF8 = (bytes: Uint8Array | number | undefined): string =>
  typeof bytes === "object" ? decoder.decode(bytes) : "";

/** Truncates a text to at most n bytes, between two characters. */
export function cut(text: string, n: number): string {
  const bytes = utf8(text);
  if (bytes.length <= n) return text;
  while (((bytes[n] as number) & 0xc0) === 0x80) n--;
  return fromUTF8(bytes.subarray(0, n));
}
