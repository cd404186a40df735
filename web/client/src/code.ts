/** The statuses of gRPC (PROTOCOL.md, section 11.7). */
export enum Code {
  Canceled = 1,
  Unknown,
  InvalidArgument,
  DeadlineExceeded,
  NotFound,
  AlreadyExists,
  PermissionDenied,
  ResourceExhausted,
  FailedPrecondition,
  Aborted,
  OutOfRange,
  Unimplemented,
  Internal,
  Unavailable,
  DataLoss,
  Unauthenticated,
}

/** Reads a number from the wire; one that is no status is Unknown. */
export const toCode = (n: number): Code => (n in Code ? n : Code.Unknown);

/** The name that people and logs know: `not_found`. */
export const codeName = (code: Code): string => (Code[code] ?? "unknown").replace(/\B[A-Z]/g, (c) => `_${c}`).toLowerCase();
