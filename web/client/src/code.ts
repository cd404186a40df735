/** The status codes of gRPC (PROTOCOL.md, section 11.7). */
export const Code = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

const names = Object.keys(Code).map((name) => name.replace(/\B[A-Z]/g, "_$&").toLowerCase());

/** Returns the name of a code as logs show it, for example `not_found`. */
export const codeName = (code: Code): string => names[code - 1] as string;

/** Converts a number from the wire. An unknown one becomes Unknown. */
export const toCode = (n: number): Code => (names[n - 1] ? (n as Code) : Code.Unknown);
