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

/** Reads 4100+m, which is what scripts can send, as 1000+m. */
export const plainCode = (code: number): number => (code > 4100 && code < 4116 ? code - 3100 : code === 4000 ? 1000 : code);

/** Whether a link ended without a word: it is lost, and the session may go on. */
export const isLost = (code: number): boolean => code === 1005 || code === 1006;

export function ending(code: number): Ending {
  const plain = plainCode(code);
  if (plain > 4000 && plain <= 4016) {
    const status = toCode(plain - 4000);
    return { status, comeback: status === Code.Unavailable ? "backs off longer" : "stays" };
  }
  const [status, comeback] = known[plain] ?? [Code.Unavailable];
  return { status, comeback: comeback ?? "backs off" };
}
