import { Code, toCode } from "./code.js";

/** What a client does after the end of a link or session (PROTOCOL.md, section 12.3). */
export type Comeback = "stays" | "at once" | "jittered" | "backs off" | "backs off longer";

export interface Ending {
  status: Code;
  comeback: Comeback;
}

const known: Record<number, readonly [Code, Comeback?]> = {
  1000: [Code.Canceled, "stays"],
  1001: [Code.Unavailable, "at once"],
  1002: [Code.Internal],
  1003: [Code.Internal],
  1007: [Code.Internal],
  1008: [Code.PermissionDenied, "stays"],
  1009: [Code.ResourceExhausted],
  1010: [Code.Unimplemented, "stays"],
  1011: [Code.Internal],
  1012: [Code.Unavailable, "jittered"],
  1013: [Code.Unavailable, "backs off longer"],
  1014: [Code.Unavailable, "backs off longer"],
};

/** Stands for a link that ended without a word: it is lost, and the session may go on. */
export const LOST = 1006;

/** Reads 4100+m, which is what scripts can send, as 1000+m, and a close without a code as a lost link. */
export function plainCode(code: number): number {
  const plain = code > 4100 && code < 4116 ? code - 3100 : code === 4000 ? 1000 : code;
  return plain === 1005 ? LOST : plain;
}

export function ending(code: number): Ending {
  if (code > 4000 && code <= 4016) {
    const status = toCode(code - 4000);
    return { status, comeback: status === Code.Unavailable ? "backs off longer" : "stays" };
  }
  const [status, comeback] = known[code] ?? [Code.Unavailable];
  return { status, comeback: comeback ?? "backs off" };
}
