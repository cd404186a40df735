import { encodeFields, lookup, parseFields } from "./fields.js";
import { fromUTF8, RuleError } from "./varint.js";

/** The peer is about to serve no more streams (PROTOCOL.md, section 10). */
export interface Goaway {
  /** The highest id that will be served. */
  lastStream: number;
  /** Why the session ends at once; 0: it goes on until its streams are closed. */
  status: number;
  /** Milliseconds after which there should be another session. */
  delay: number;
  reason: string;
  /** A URL to come back to; empty: the same one. */
  address: string;
}

/** Higher than the id of any stream: what says it is only a notice. */
export const NO_LAST_STREAM = Number.MAX_SAFE_INTEGER;

/** Reports whether streams are still accepted, for a while. */
export const isNotice = (g: Goaway): boolean => g.lastStream === NO_LAST_STREAM && !g.status;

export function parseGoaway(payload: Uint8Array): Goaway {
  const get = lookup(parseFields(payload, [1, 2, 3, 4, 6]));
  const text = (key: number) => {
    const bytes = get(key) as Uint8Array | undefined;
    if (bytes && bytes.length > 1024) throw new RuleError("F12");
    return fromUTF8(bytes);
  };
  const number = (key: number) => (get(key) as number) ?? 0;
  return { lastStream: number(2), status: number(4), delay: number(6), reason: text(1), address: text(3) };
}

export const encodeGoaway = (lastStream: number): Uint8Array => encodeFields(lastStream ? [[2, lastStream]] : []);
