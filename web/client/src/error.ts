import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { codeName, type Code as StatusCode, toCode } from "./code.js";
import type { ReceivedHeaders } from "./metadata.js";
import { type Any, AnySchema, create, fromBinary, toBinary } from "./protobuf.js";
import * as Code from "./statuscodes.js";

/** The error of a call or a connection. */
export class ParleyError extends Error {
  override name = "ParleyError";

  /** The details of the status, as google.protobuf.Any. `findDetails` unpacks them. */
  details: Any[] = [];

  /** The trailers of a failed call. */
  declare trailer: ReceivedHeaders | undefined;

  /**
   * For a refusal that is temporary: how long to wait, in milliseconds, at most MAX_LONG_DELAY.
   * @internal
   */
  declare retryAfter: number | undefined;

  /** The message without the name of the code. */
  declare readonly rawMessage: string;
  declare readonly code: StatusCode;

  constructor(rawMessage: string, code: StatusCode = Code.Unknown, options?: ErrorOptions) {
    const known = toCode(code);
    super(rawMessage ? `${codeName(known)}: ${rawMessage}` : codeName(known), options);
    this.rawMessage = rawMessage ?? "";
    this.code = known;
  }

  /** Adds a detail and returns the error. */
  withDetail<D extends DescMessage>(schema: D, init: MessageInitShape<D>): this {
    const value = toBinary(schema, create(schema, init));
    this.details.push(create(AnySchema, { typeUrl: `type.googleapis.com/${schema.typeName}`, value }));
    return this;
  }

  /** Returns the details of one type. Details that do not parse are left out. */
  findDetails<D extends DescMessage>(schema: D): MessageShape<D>[] {
    return this.details.flatMap((any) => {
      try {
        return any.typeUrl.endsWith(`/${schema.typeName}`) ? [fromBinary(schema, any.value)] : [];
      } catch {
        return [];
      }
    });
  }

  /** Converts what was thrown to a ParleyError: unchanged if it is one, otherwise with a suitable code. */
  static from(reason: unknown, code: StatusCode = Code.Unknown): ParleyError {
    if (reason instanceof ParleyError) return reason;
    const { name, message } = (reason ?? {}) as { name?: unknown; message?: unknown };
    if (name === "TimeoutError") code = Code.DeadlineExceeded;
    if (name === "AbortError") code = Code.Canceled;
    return new ParleyError(typeof message === "string" ? message : textOf(reason), code, { cause: reason });
  }
}

/** Returns the text of a thrown value that is not an Error. */
function textOf(reason: unknown): string {
  try {
    return String(reason ?? "no reason");
  } catch {
    return "no reason"; // an object without a prototype
  }
}

/** The error of a message or header that the peer would not accept. */
export const tooLarge = (what: string, size: number, limit: number): ParleyError =>
  new ParleyError(`${what} of ${size} bytes exceeds the peer's limit of ${limit}`, Code.ResourceExhausted);

/** The error that callers get for a RESET (PROTOCOL.md, section 12.2). */
export function resetError(code: number, reason: string): ParleyError {
  const codes: StatusCode[] = [Code.Canceled, Code.Unavailable, Code.ResourceExhausted];
  const status = code > 255 ? toCode(code - 256) : (codes[code - 1] ?? Code.Internal);
  return new ParleyError(reason || `stream reset by the peer (code ${code})`, status);
}
