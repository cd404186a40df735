import type { Link } from "./events.js";
import { HIGH_WATER, POLL_INTERVAL, WRITE_TIMEOUT } from "./limits.js";
import { Timer } from "./timer.js";

/** Writes link messages as fast as the WebSocket sends them. */
export class Writer {
  #scheduled = false;
  #buffered = 0;
  #progress = 0;
  #polling = new Timer();

  /** Returns the link if it may be written to now. */
  readonly #writable: () => Link | undefined;
  /** Returns the next link message. */
  readonly #next: () => Uint8Array<ArrayBuffer> | undefined;
  /** Called when the WebSocket does not send what was written. */
  readonly #stalled: () => void;

  constructor(writable: () => Link | undefined, next: () => Uint8Array<ArrayBuffer> | undefined, stalled: () => void) {
    this.#writable = writable;
    this.#next = next;
    this.#stalled = stalled;
  }

  /** Starts on a new link. */
  start(): void {
    this.#progress = Date.now();
    this.schedule();
  }

  stop(): void {
    this.#polling.stop();
  }

  /** Flushes after the current task, so that frames of one task share a link message. */
  schedule(): void {
    if (this.#scheduled || !this.#writable()) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /** Writes what is ready. */
  readonly flush = (): void => {
    for (;;) {
      const link = this.#writable();
      if (!link) return;
      if (link.bufferedAmount > HIGH_WATER) return this.#wait(link.bufferedAmount);
      this.#buffered = 0;
      const message = this.#next();
      if (!message) return;
      link.send(message);
    }
  };

  /** Polls: a WebSocket does not report when it has sent something. */
  #wait(buffered: number): void {
    const now = Date.now();
    if (!this.#buffered || buffered < this.#buffered) this.#progress = now;
    this.#buffered = buffered;
    if (now - this.#progress > WRITE_TIMEOUT) return this.#stalled();
    this.#polling.start(POLL_INTERVAL, this.flush);
  }
}
