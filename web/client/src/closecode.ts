import { type Code as StatusCode, toCode } from "./code.js";
import * as Code from "./statuscodes.js";

/** When a client reconnects after the end of a link or session (PROTOCOL.md, section 12.3). */
export type Reconnect = "never" | "now" | "jittered" | "backoff" | "overload";

export interface CloseAction {
  status: StatusCode;
  reconnect: Reconnect;
}

const known: Record<number, readonly [StatusCode, Reconnect?]> = {
  1000: [Code.Canceled, "never"],
  1001: [Code.Unavailable, "now"],
  1002: [Code.Internal],
  1003: [Code.Internal],
  1007: [Code.Internal],
  1008: [Code.PermissionDenied, "never"],
  1009: [Code.ResourceExhausted],
  1010: [Code.Unimplemented, "never"],
  1011: [Code.Internal],
  1012: [Code.Unavailable, "jittered"],
  1013: [Code.Unavailable, "overload"],
  1014: [Code.Unavailable, "overload"],
};

/** The code of a link that ended without a close frame. The link is lost, and the session may be resumed. */
export const LOST = 1006;

/** Maps 4100+m, which scripts can send, to 1000+m, and a close without a code to LOST. */
export function standardCode(code: number): number {
  const plain = code > 4100 && code < 4116 ? code - 3100 : code === 4000 ? 1000 : code;
  return plain === 1005 ? LOST : plain;
}

export function closeAction(code: number): CloseAction {
  if (code > 4000 && code <= 4016) {
    const status = toCode(code - 4000);
    return { status, reconnect: status === Code.Unavailable ? "overload" : "never" };
  }
  const [status, reconnect] = known[code] ?? [Code.Unavailable];
  return { status, reconnect: reconnect ?? "backoff" };
}
