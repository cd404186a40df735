import * as codes from "./statuscodes.js";

/** The status codes of gRPC (PROTOCOL.md, section 11.7). */
export const Code = {
  Canceled: codes.Canceled,
  Unknown: codes.Unknown,
  InvalidArgument: codes.InvalidArgument,
  DeadlineExceeded: codes.DeadlineExceeded,
  NotFound: codes.NotFound,
  AlreadyExists: codes.AlreadyExists,
  PermissionDenied: codes.PermissionDenied,
  ResourceExhausted: codes.ResourceExhausted,
  FailedPrecondition: codes.FailedPrecondition,
  Aborted: codes.Aborted,
  OutOfRange: codes.OutOfRange,
  Unimplemented: codes.Unimplemented,
  Internal: codes.Internal,
  Unavailable: codes.Unavailable,
  DataLoss: codes.DataLoss,
  Unauthenticated: codes.Unauthenticated,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

const names = Object.keys(Code).map((name) => name.replace(/\B[A-Z]/g, "_$&").toLowerCase());

/** Returns the name of a code as logs show it, for example `not_found`. */
export const codeName = (code: Code): string => names[code - 1] as string;

/** Converts a number from the wire. An unknown one becomes Unknown. */
export const toCode = (n: number): Code => (names[n - 1] ? (n as Code) : Code.Unknown);
