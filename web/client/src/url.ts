import { Code } from "./code.js";
import { ParleyError } from "./error.js";

/** Resolves the URL of a server, which may be relative to the page. */
export function webSocketURL(url: string): string {
  const base = globalThis.location?.href;
  const invalid = (cause?: unknown) => {
    const where = base ? "" : ", and absolute where there is no page";
    return new ParleyError(`the URL ${url} must be ws, wss, http or https${where}`, Code.InvalidArgument, { cause });
  };
  let u: URL;
  try {
    u = new URL(url, base);
  } catch (e) {
    throw invalid(e);
  }
  u.protocol = u.protocol.replace("http", "ws");
  u.hash = "";
  if (!/^wss?:$/.test(u.protocol)) throw invalid();
  return u.href;
}
