import { type Code, ConnectError } from "@connectrpc/connect";
import { ParleyError } from "@parley-rpc/client";

/** Converts the error of a call to a ConnectError with the same code, message and details. */
export function toConnectError(reason: unknown, header?: Headers): ConnectError {
  if (reason instanceof ConnectError) return reason;
  const e = ParleyError.from(reason);
  // Both sides use the numbers of gRPC.
  const error = new ConnectError(e.rawMessage, e.code as number as Code, header, undefined, e.cause ?? e);
  for (const [key, value] of e.trailer ?? []) error.metadata.append(key, value);
  error.details = e.details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return error;
}
