import { encodeFields, lookup, parseFields } from "./fields.js";
import { fromUTF8, MAX_VALUE, RuleError } from "./varint.js";

/** The peer is draining (PROTOCOL.md, section 10). */
export interface Goaway {
  /** The highest stream id that the peer serves. */
  lastStream: number;
  /** The status of a session that ends at once; 0: the session lasts until its streams are closed. */
  status: number;
  /** The delay after which the client should have another session, in milliseconds. */
  delay: number;
  reason: string;
  /** The URL of the next session; empty: the same URL. */
  address: string;
}

/** Above the id of any stream: the GOAWAY is only a notice. */
export const NO_LAST_STREAM = MAX_VALUE;

/** Reports whether the peer still accepts streams for a while. */
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
