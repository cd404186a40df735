import type { ParleyError } from "./error.js";
import type { DialedLink } from "./events.js";
import * as f from "./frame.js";
import { encodeGoaway, NO_LAST_STREAM } from "./goaway.js";
import { encodeHello, type Settings } from "./hello.js";
import { PeerStream } from "./peerstream.js";
import { type OpenBlock, parseOpen } from "./serverwire.js";
import { concat, MAX_VALUE, Reader } from "./varint.js";

/** What this end announces. The server has the limits of calls. A session on this link does not resume. */
const announced: Settings = {
  maxFrame: 1 << 20,
  maxMessage: MAX_VALUE,
  maxHeader: 1 << 20,
  maxStreams: 100,
  initialWindow: MAX_VALUE,
  keepalive: 25_000,
  resumeWindow: 0,
  replayLimit: 1 << 20,
};

/**
 * A link without a WebSocket. Its other end is in the page too: it is the acceptor of the session (PROTOCOL.md), and serves each
 * stream by a function. So calls, flow control and drain are the same as on a WebSocket.
 */
export class FetchLink implements DialedLink {
  readonly bufferedAmount = 0;
  onData: (data: unknown) => void = () => {};
  onEnd: (code: number, reason: string) => void = () => {};
  #close!: () => void;
  readonly done = new Promise<void>((resolve) => {
    this.#close = resolve;
  });
  #closed = false;
  #draining = false;
  #greeted = false;
  #streams = new Map<number, PeerStream>();
  /** The id of the latest stream. */
  #lastId = 0;
  /** What waits to be delivered. */
  #out: Uint8Array[] = [];

  readonly fallback: ParleyError;
  readonly #peer: Settings;
  readonly #serve: (stream: PeerStream, open: OpenBlock) => Promise<void>;

  /** The peer has the given settings. */
  constructor(fallback: ParleyError, peer: Settings, serve: (stream: PeerStream, open: OpenBlock) => Promise<void>) {
    this.fallback = fallback;
    this.#peer = peer;
    this.#serve = serve;
  }

  send(bytes: Uint8Array): void {
    for (const r = new Reader(bytes); !r.done; ) {
      const frame = f.readFrame(r, MAX_VALUE);
      if (frame) this.#handle(frame);
    }
  }

  close(): void {
    this.#closed = true;
    this.onData = this.onEnd = () => {};
    for (const { abort } of this.#streams.values()) abort.abort();
    this.#streams.clear();
    this.#close();
  }

  /** Asks the peer to move to another session. Its streams go on, and it may still open some. */
  drain(): void {
    this.#draining = true;
    if (this.#greeted) this.#emit(f.GOAWAY, 0, encodeGoaway(NO_LAST_STREAM));
  }

  #handle({ type, flags, id, payload }: f.Frame): void {
    const stream = this.#streams.get(id);
    if (type === f.HELLO) this.#greet();
    else if (type === f.OPEN) this.#open(id, flags, payload);
    else if (type === f.DATA) stream?.handleData(flags, payload);
    else if (type === f.END) stream?.handleEnd();
    else if (type === f.WINDOW) stream?.raiseLimit(f.readNumber(payload));
    else if (type === f.RESET) {
      this.#streams.delete(id);
      stream?.abort.abort();
    } else if (type === f.GOAWAY)
      this.#emit(f.GOAWAY, 0, encodeGoaway(this.#lastId)); // the peer has moved
    else if (type === f.PING) this.#emit(f.PONG, 0, payload);
  }

  #greet(): void {
    this.#greeted = true;
    this.#emit(f.HELLO, 0, encodeHello(announced));
    if (this.#draining) this.drain();
  }

  #open(id: number, flags: number, header: Uint8Array): void {
    const { initialWindow, maxFrame } = this.#peer;
    this.#lastId = id;
    const emit = (head: number, payload: Uint8Array) => this.#streams.has(id) && this.#emit(head, id, payload);
    const stream = new PeerStream(emit, initialWindow, maxFrame);
    this.#streams.set(id, stream);
    if (flags & f.FLAG_END) stream.handleEnd();
    void this.#serve(stream, parseOpen(header)).finally(() => this.#streams.delete(id));
  }

  /** Delivers a frame after the current task, so that frames of one task share a link message. */
  #emit(head: number, id: number, payload: Uint8Array): void {
    if (this.#closed) return;
    if (this.#out.push(f.encodeFrame(head, id, payload)) === 1) queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    const out = this.#out;
    this.#out = [];
    let size = 0;
    let first = 0;
    out.forEach((frame, i) => {
      size += frame.length;
      if (size < f.MAX_FRAME_START && i < out.length - 1) return;
      this.onData(concat(out.slice(first, i + 1)).buffer);
      first = i + 1;
      size = 0;
    });
  }
}
