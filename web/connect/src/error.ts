import { type Code, ConnectError } from "@connectrpc/connect";
import { ParleyError } from "@parley-rpc/client";

/** Makes a ConnectError, with the same code, text and details, of what a call has failed with. */
export function toConnectError(reason: unknown, header?: Headers): ConnectError {
  if (reason instanceof ConnectError) return reason;
  const e = ParleyError.from(reason);
  // The numbers are gRPC's on both sides.
  const error = new ConnectError(e.rawMessage, e.code as number as Code, header, undefined, e.cause ?? e);
  for (const [key, value] of e.trailer ?? []) error.metadata.append(key, value);
  error.details = e.details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return error;
}
