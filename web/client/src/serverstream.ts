import type { ParleyError } from "./error.js";
import { APPLICATION, HEADER } from "./frametype.js";
import type { Stream } from "./stream.js";

// What only a stream that the peer has opened needs. A page that serves no calls does not load it.

/** Sends the response header. It must precede all messages. */
export function sendHeader(stream: Stream, block: Uint8Array): void {
  void stream.queue(HEADER, block, false);
}

/** Ends this end's direction. With an error, it drops what is queued. */
export function finish(stream: Stream, trailer: Uint8Array, error: ParleyError | undefined): void {
  const { out } = stream;
  if (error && out.at(0)?.at) return stream.reset(APPLICATION + error.code, error); // a message is partly sent
  if (error) {
    for (let n = out.length; n; n--) {
      const o = out.shift()!;
      if (o.type === HEADER) out.push(o);
      else o.sent();
    }
  }
  stream.end(trailer);
}
