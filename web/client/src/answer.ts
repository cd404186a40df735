import { Code } from "./code.js";
import { ParleyError } from "./error.js";

/** The name of this protocol among WebSocket subprotocols. */
export const SUBPROTOCOL = "parley.v1";

const TIMEOUT = 3000;

/** What callers see of an HTTP answer in place of the upgrade (PROTOCOL.md, section 3.5). */
export function httpError(status: number, versions: string): ParleyError {
  if (versions && !versions.split(/ *, */).includes(SUBPROTOCOL)) {
    return new ParleyError(`this client speaks ${SUBPROTOCOL}, the server ${versions}`, Code.Unimplemented);
  }
  const error = (text: string, code: Code) => new ParleyError(`${text} (HTTP status ${status})`, code);
  if (status === 400)
    return error("the server takes the handshake for a bad request", versions ? Code.Unimplemented : Code.Internal);
  if (status === 401) return error("the server wants credentials", Code.Unauthenticated);
  if (status === 403) return error("the server refuses this client", Code.PermissionDenied);
  if (status < 400 || status === 404 || status === 405 || status === 426) {
    return error("there is no Parley endpoint at this URL", Code.Unimplemented);
  }
  return error(
    "the server cannot be reached",
    status === 408 || status === 429 || status >= 500 ? Code.Unavailable : Code.Unknown,
  );
}

/**
 * Finds out why a first WebSocket could not be opened, which a script is not told: it asks by fetch what is at the URL.
 * It returns the error that it was given if that says nothing, for example because the page is of another origin.
 */
export async function diagnose(url: string, error: ParleyError, signal: AbortSignal): Promise<ParleyError> {
  const ask = new AbortController();
  const stop = () => ask.abort();
  const timer = setTimeout(stop, TIMEOUT);
  signal.addEventListener("abort", stop);
  try {
    const res = await fetch(url.replace(/^ws/, "http"), { redirect: "manual", cache: "no-store", signal: ask.signal });
    void res.body?.cancel().catch(() => {});
    const versions = res.headers.get("parley-versions") ?? "";
    if (versions.split(/ *, */).includes(SUBPROTOCOL)) {
      return new ParleyError(
        `${error.rawMessage}: the server is there and speaks ${SUBPROTOCOL}, but something between here and there lets no WebSocket through, or the server refuses this page`,
        Code.Unavailable,
      );
    }
    return httpError(res.status, versions);
  } catch {
    return error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
