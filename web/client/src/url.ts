import { ParleyError } from "./error.js";
import * as Code from "./statuscodes.js";

/** Resolves the URL of a server, which may be relative to the page. */
export function webSocketURL(url: string): string {
  let u: URL | undefined;
  try {
    u = new URL(url, globalThis.location?.href);
    u.protocol = u.protocol.replace("http", "ws");
    u.hash = "";
  } catch {
    // It is not a URL.
  }
  if (u && /^ws/.test(u.href)) return u.href;
  throw new ParleyError(`invalid URL ${url}: use ws, wss, http or https`, Code.InvalidArgument);
}
