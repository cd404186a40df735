import * as f from "./frame.js";
import type { Hello, Resume, SessionRef } from "./hello.js";
import { Received } from "./received.js";
import { Replay } from "./replay.js";
import { Timer } from "./timer.js";
import { concat, RuleError } from "./varint.js";

const BATCH = f.MAX_FRAME_START / 2;

/** What a session needs to go on over another link (PROTOCOL.md, section 8). */
export class Resumption {
  replay = new Replay();
  received = new Received();
  /** Reports whether the HELLO on this link has asked to resume the session. */
  requested = false;
  #id: Uint8Array | undefined;
  #token: Uint8Array | undefined;
  #attempt = 0;
  #expiry = new Timer();

  /** Reports whether the session outlives its link. */
  get enabled(): boolean {
    return !!this.#token;
  }

  /** What the next link is asked for. */
  request(): Resume | undefined {
    const { ref } = this;
    this.requested = !!ref;
    return ref && { ...ref, received: this.received.count, attempt: ++this.#attempt };
  }

  /** The session, for whom it concerns; undefined where it ends with its link. */
  get ref(): SessionRef | undefined {
    return this.#token && { session: this.#id as Uint8Array, token: this.#token };
  }

  /** The link is lost. It calls expire if there is none again within so many milliseconds. */
  detach(ms: number, expire: () => void): void {
    this.#expiry.start(ms, expire);
  }

  /** The session has a link again, or has ended. */
  attach(): void {
    this.#expiry.stop();
  }

  /** Takes a HELLO that begins a session. Without a window nothing is kept to be sent again. */
  start(h: Hello, window: number): void {
    if (window && !h.token) throw new RuleError("N7");
    this.#id = window ? h.session : undefined;
    this.#token = window ? h.token : undefined;
    if (!window) this.replay = new Replay();
  }

  /** Takes a HELLO that goes on with the session. */
  resume(h: Hello): void {
    if (`${h.session}` !== `${this.#id}`) throw new RuleError("N7");
    if (!this.replay.ack(h.received)) throw new RuleError("A8");
    this.#token = h.token;
  }

  /** Returns an ACK of all that has arrived. */
  ackFrame(): Uint8Array<ArrayBuffer> {
    return f.encodeFrame(f.ACK, 0, f.encodeNumber(this.received.ack()));
  }

  /** The link messages that follow the HELLO: an ACK, what the peer has missed, and the limits of windows (section 8.4). */
  *missed(windows: Uint8Array[]): Iterable<Uint8Array<ArrayBuffer>> {
    const frames = [this.ackFrame(), ...this.replay.frames.all(), ...windows];
    let parts: Uint8Array[] = [];
    let size = 0;
    for (const frame of frames) {
      parts.push(frame);
      size += frame.length;
      if (size < BATCH && frame !== frames.at(-1)) continue;
      yield concat(parts);
      parts = [];
      size = 0;
    }
  }
}
