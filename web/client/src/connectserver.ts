import type { Connection } from "./connection.js";
import { isConnectJSON, statusOf } from "./connectwire.js";
import { ParleyError } from "./error.js";
import type { FallbackSettings } from "./fallback.js";
import { parseRetryAfter, temporaryRefusal } from "./handshake.js";
import { DIAGNOSE_TIMEOUT } from "./limits.js";
import * as Code from "./statuscodes.js";

/** A method that no server has. A server that answers UNIMPLEMENTED takes calls. */
const PROBE = "parley.fallback/Probe";

/** A server that takes calls over HTTP by the Connect protocol. */
export class ConnectServer {
  constructor(
    readonly conn: Connection,
    readonly webSocketUrl: string,
    readonly settings: FallbackSettings,
  ) {}

  /** Returns the URL of a method. */
  url(path: string): URL {
    const given = this.settings.url ?? this.webSocketUrl.replace("ws", "http");
    let url: URL;
    try {
      url = new URL(given, globalThis.location?.href);
    } catch (cause) {
      const text = `fetchFallback: invalid url ${given}: use an absolute http or https URL`;
      throw new ParleyError(text, Code.InvalidArgument, { cause });
    }
    url.pathname = `${url.pathname.replace(/\/$/, "")}/${path}`;
    return url;
  }

  /** Makes a request. A WebSocket sends cookies to servers of other origins too, so this does. */
  post(path: string, headers: Headers, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Response> {
    headers.set("connect-protocol-version", "1");
    return this.settings.fetch(this.url(path), {
      method: "POST",
      headers,
      body,
      signal,
      credentials: "include",
      redirect: "error",
      cache: "no-store",
    });
  }

  /**
   * Returns normally if the server takes calls over HTTP. If HTTP does not get through either, it throws the given error of a
   * WebSocket, and if the server refuses this client, the refusal.
   */
  async check(token: string | undefined, error: ParleyError): Promise<void> {
    const headers = new Headers({ "content-type": "application/json" });
    if (token) headers.set("authorization", `Bearer ${token}`);
    const timeout = AbortSignal.timeout(DIAGNOSE_TIMEOUT);
    let refusal: ParleyError | undefined;
    try {
      const res = await this.post(PROBE, headers, new TextEncoder().encode("{}"), timeout);
      const isConnect = isConnectJSON(res);
      const status = await statusOf(res);
      if (!isConnect) refusal = noServer(error, status);
      else if (res.status === 503 || res.status === 429) {
        refusal = temporaryRefusal(status.rawMessage, parseRetryAfter(res.headers.get("retry-after") ?? ""));
      } else if (res.status === 401 || res.status === 403) refusal = status;
    } catch (e) {
      throw e instanceof ParleyError ? e : error;
    }
    if (refusal) throw refusal;
  }
}

/** The error of a WebSocket without a server that would take calls instead. */
function noServer(error: ParleyError, { rawMessage }: ParleyError): ParleyError {
  return new ParleyError(`${error.rawMessage}; and no fallback: ${rawMessage}`, error.code, { cause: error });
}
