import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { ParleyError } from "./error.js";
import { AnySchema, create, fromBinary, toBinary } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { concat } from "./varint.js";

/** The message google.rpc.RetryInfo, encoded and decoded by hand: field 1 is the delay, a google.protobuf.Duration. */
const TYPE = "google.rpc.RetryInfo";
const DELAY = 1;
const BYTES = 2;
const MAX_SECONDS = 315_576_000_000; // the limit of a Duration

/**
 * Returns the error with which a method asks its caller to retry after so many milliseconds: the call has neither completed nor
 * failed. It is UNAVAILABLE with the detail google.rpc.RetryInfo. `follow` retries by itself; other callers use `retryAfter`.
 */
export function retryLater(ms = 0): ParleyError {
  const delay = Math.min(Math.max(ms, 0) || 0, MAX_SECONDS * 1000);
  const error = new ParleyError(delay > 0 ? `retry in ${delay} ms` : "retry later", Code.Unavailable);
  const seconds = Math.floor(delay / 1000);
  const duration = create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((delay - seconds * 1000) * 1e6) });
  const value = new BinaryWriter().tag(DELAY, BYTES).bytes(toBinary(DurationSchema, duration)).finish();
  error.details.push(create(AnySchema, { typeUrl: `type.googleapis.com/${TYPE}`, value }));
  return error;
}

/**
 * Returns the number of milliseconds after which the peer asks to retry. It is in the first google.rpc.RetryInfo of an error's
 * details, whatever the code. It returns undefined if there is none.
 */
export function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof ParleyError)) return undefined;
  for (const { typeUrl, value } of error.details) {
    const ms = typeUrl.endsWith(`/${TYPE}`) ? readDelay(value) : undefined;
    if (ms !== undefined) return ms;
  }
  return undefined;
}

/** Parses a RetryInfo. A malformed or negative one is ignored. */
function readDelay(bytes: Uint8Array): number | undefined {
  try {
    const parts: Uint8Array[] = [];
    for (const r = new BinaryReader(bytes); r.pos < r.len; ) {
      const [field, type] = r.tag();
      if (field === DELAY && type === BYTES) parts.push(r.bytes());
      else r.skip(type, field);
    }
    const { seconds, nanos } = fromBinary(DurationSchema, concat(parts));
    const ms = Number(seconds) * 1000 + nanos / 1e6;
    return nanos < 0 || nanos > 999_999_999 || seconds < 0 || ms > MAX_SECONDS * 1000 ? undefined : ms;
  } catch {
    return undefined;
  }
}
