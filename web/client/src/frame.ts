import { DATA, FLAG_END, FLAG_MARK, FLAG_MORE, GOAWAY, IGNORABLE, OPEN, RESET, WINDOW } from "./frametype.js";
import { concat, fromUTF8, putVarint, Reader, RuleError } from "./varint.js";

export * from "./frametype.js";

export interface Frame {
  type: number;
  flags: number;
  id: number;
  /** Refers to the memory of the link message. */
  payload: Uint8Array;
}

/** Reports whether frames of a type are counted, kept until acknowledged, and sent again after a lost link. */
export const isSequenced = (type: number): boolean => (type >= OPEN && type <= RESET) || type === GOAWAY;

/** Reads the next frame in the order of PROTOCOL.md, section 4.3. It returns undefined for a frame to ignore. */
export function readFrame(r: Reader, maxFrame: number): Frame | undefined {
  const head = r.take(1, "F9")[0] as number;
  const type = head & 0x0f;
  const flags = head & 0xf0;
  const known = type <= GOAWAY;
  if (!type) throw new RuleError("F1");
  if (!known && !(flags & IGNORABLE)) throw new RuleError("F2");
  const allowed = type === OPEN ? FLAG_END : type === DATA ? FLAG_END | FLAG_MORE | FLAG_MARK : 0;
  if (known && flags & ~allowed) throw new RuleError("F4");
  if (known && (flags & 0x30) === 0x30) throw new RuleError("F5");
  const id = r.varint();
  if (known && (id === 0) === (type >= OPEN && type <= WINDOW)) throw new RuleError("F7");
  const length = r.varint();
  if (length > maxFrame) throw new RuleError("F8", 1009);
  const payload = r.take(length, "F9");
  if (known && flags & FLAG_MORE && !length) throw new RuleError("F13");
  return known ? { type, flags, id, payload } : undefined;
}

/** Encodes what precedes the payload of a frame. */
export function encodeFrameHead(head: number, id: number, length: number): number[] {
  const start = [head];
  putVarint(start, id);
  putVarint(start, length);
  return start;
}

export const encodeFrame = (head: number, id: number, payload: Uint8Array): Uint8Array<ArrayBuffer> =>
  concat([encodeFrameHead(head, id, payload.length), payload]);

/** Encodes a payload that consists of one varint. */
export function encodeNumber(value: number): Uint8Array {
  const out: number[] = [];
  putVarint(out, value);
  return Uint8Array.from(out);
}

export function readNumber(payload: Uint8Array): number {
  const r = new Reader(payload);
  const value = r.varint("F10", "F10");
  if (!r.done) throw new RuleError("F10");
  return value;
}

export function readReset(payload: Uint8Array): [code: number, reason: string] {
  const r = new Reader(payload);
  const code = r.varint("F10", "F10");
  const reason = payload.subarray(r.at);
  if (!code) throw new RuleError("F11");
  if (reason.length > 1024) throw new RuleError("F12");
  return [code, fromUTF8(reason)];
}
