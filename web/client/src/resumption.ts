import * as f from "./frame.js";
import type { Hello, Resume, SessionRef } from "./hello.js";
import { Received } from "./received.js";
import { Replay } from "./replay.js";
import { Timer } from "./timer.js";
import { RuleError } from "./varint.js";

/** The state that lets a session resume on another link (PROTOCOL.md, section 8). */
export class Resumption {
  declare replay: Replay;
  received = new Received();
  /** Whether the HELLO on the current link asked to resume the session. */
  requested = false;
  #id: Uint8Array | undefined;
  #token: Uint8Array | undefined;
  #attempt = 0;
  /** Runs while the session is detached. */
  readonly expiry = new Timer();

  constructor(replayLimit: number) {
    this.replay = new Replay(replayLimit);
  }

  /** Reports whether the session survives the loss of its link. */
  get enabled(): boolean {
    return !!this.#token;
  }

  /** Returns the request to resume for the next HELLO, or undefined if there is no session to resume. */
  request(): Resume | undefined {
    const { ref } = this;
    this.requested = !!ref;
    return ref && { ...ref, received: this.received.count, attempt: ++this.#attempt };
  }

  /** Identifies the session; undefined if it ends with its link. */
  get ref(): SessionRef | undefined {
    return this.#token && { session: this.#id as Uint8Array, token: this.#token };
  }

  /** Handles a HELLO that starts a session. Without a window the session cannot be resumed. */
  start(h: Hello, window: number): void {
    if (window && !h.token) throw new RuleError("N7");
    if (window) {
      this.#id = h.session;
      this.#token = h.token;
    } else this.replay = new Replay(this.replay.limit);
  }

  /** Handles a HELLO that resumes the session. */
  resume(h: Hello): void {
    if (`${h.session}` !== `${this.#id}`) throw new RuleError("N7");
    if (!this.replay.rewind(h.received)) throw new RuleError("A8");
    this.#token = h.token;
  }

  /** Returns an ACK frame for everything that has arrived. */
  ackFrame(): Uint8Array<ArrayBuffer> {
    return f.encodeFrame(f.ACK, 0, f.encodeNumber(this.received.ack()));
  }
}
