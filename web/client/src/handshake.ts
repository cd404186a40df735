import { MAX_LONG_DELAY } from "./backoff.js";
import type { Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import { DIAGNOSE_TIMEOUT } from "./limits.js";
import * as Code from "./statuscodes.js";

/** The WebSocket subprotocol of this protocol version. */
export const SUBPROTOCOL = "parley.v1";

const supportsVersion = (versions: string) => versions.split(",").some((v) => v.trim() === SUBPROTOCOL);

/** Returns the error of a server or proxy that does not serve this client now. Another one may, or the same one soon. */
export const temporaryRefusal = (message: string, retryAfter = 0): ParleyError =>
  Object.assign(new ParleyError(message, Code.Unavailable), { retryAfter });

/** Parses a Retry-After header: seconds or a date. It returns milliseconds, at most MAX_LONG_DELAY. */
export function parseRetryAfter(value: string): number {
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, MAX_LONG_DELAY) : 0;
}

const codes: Record<number, StatusCode> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  405: Code.Unimplemented,
  408: Code.Unavailable,
  426: Code.Unimplemented,
  429: Code.Unavailable,
};

/** The error that callers get for an HTTP response instead of an upgrade (PROTOCOL.md, section 3.5). */
export function httpError(status: number, header: (name: string) => string): ParleyError {
  const versions = header("parley-versions");
  if (versions && !supportsVersion(versions)) {
    return new ParleyError(`no common version: the server speaks ${versions}, this client ${SUBPROTOCOL}`, Code.Unimplemented);
  }
  const code = codes[status] ?? (status < 400 ? Code.Unimplemented : status < 500 ? Code.Unknown : Code.Unavailable);
  const what = code === Code.Unimplemented ? "not a WebSocket endpoint" : "the server refuses the handshake";
  const text = `${what}: HTTP status ${status}`;
  return status === 503 || status === 429
    ? temporaryRefusal(text, parseRetryAfter(header("retry-after")))
    : new ParleyError(text, code);
}

/**
 * Finds out why the first WebSocket could not be opened, which scripts do not learn. It sends an HTTP request to the URL. It
 * returns the given error if the response does not help, for example because it is of another origin.
 */
export async function diagnose(url: string, error: ParleyError): Promise<ParleyError> {
  try {
    const signal = AbortSignal.timeout(DIAGNOSE_TIMEOUT);
    const res = await fetch(url.replace("ws", "http"), { redirect: "manual", cache: "no-store", signal });
    await res.body?.cancel();
    const header = (name: string) => res.headers.get(name) ?? "";
    if (!supportsVersion(header("parley-versions"))) return httpError(res.status, header);
    if (res.status === 403) {
      const text = `the server refuses pages of ${globalThis.location?.origin ?? "this origin"}: allow this origin at the server`;
      return new ParleyError(text, Code.PermissionDenied);
    }
    // One of several servers behind the URL may have refused the WebSocket, and another one has answered.
    return temporaryRefusal(`${error.rawMessage}: the server or a proxy refuses the WebSocket`);
  } catch {
    return error;
  }
}
