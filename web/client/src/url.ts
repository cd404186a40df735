import { ParleyError } from "./error.js";
import * as Code from "./statuscodes.js";

/** Resolves the URL of a server, which may be relative to the page. */
export function webSocketURL(url: string): string {
  const invalid = (cause?: unknown) =>
    new ParleyError(`invalid URL ${url}: use an absolute ws, wss, http or https URL`, Code.InvalidArgument, { cause });
  let u: URL;
  try {
    u = new URL(url, globalThis.location?.href);
  } catch (e) {
    throw invalid(e);
  }
  u.protocol = u.protocol.replace("http", "ws");
  u.hash = "";
  if (!/^wss?:$/.test(u.protocol)) throw invalid();
  return u.href;
}
