// The status codes of gRPC (PROTOCOL.md, section 11.7). This module imports nothing, so that a bundler can replace the names by
// the numbers.

export const Canceled = 1;
export const Unknown = 2;
export const InvalidArgument = 3;
export const DeadlineExceeded = 4;
export const NotFound = 5;
export const AlreadyExists = 6;
export const PermissionDenied = 7;
export const ResourceExhausted = 8;
export const FailedPrecondition = 9;
export const Aborted = 10;
export const OutOfRange = 11;
export const Unimplemented = 12;
export const Internal = 13;
export const Unavailable = 14;
export const DataLoss = 15;
export const Unauthenticated = 16;
