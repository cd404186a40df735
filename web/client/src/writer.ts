import type { Link } from "./events.js";
import type { Timer } from "./timer.js";

/** While so many bytes wait in the WebSocket nothing is added to them. */
const HIGH_WATER = 256 << 10;
const POLL = 4;
const WRITE_TIMEOUT = 30_000;

/** What a writer writes, and to where. */
export interface Source {
  /** The link, if it may be written to now. */
  readonly writable: Link | undefined;
  /** The next link message. */
  next(): Uint8Array<ArrayBuffer> | undefined;
  /** The link does not take what was written. */
  stalled(): void;
}

/** Writes link messages as fast as the WebSocket sends them. */
export class Writer {
  #scheduled = false;
  #buffered = 0;
  #progress = 0;
  #polling: Timer | undefined;

  constructor(private source: Source) {}

  /** There is a link. */
  start(): void {
    this.#progress = Date.now();
    this.schedule();
  }

  stop(): void {
    clearTimeout(this.#polling);
    this.#polling = undefined;
  }

  /** Writes when all that happens now has happened, so that it goes out together. */
  schedule(): void {
    if (this.#scheduled || !this.source.writable) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  flush(): void {
    for (;;) {
      const link = this.source.writable;
      if (!link) return;
      if (link.bufferedAmount > HIGH_WATER) return this.#wait(link.bufferedAmount);
      this.#progress = Date.now();
      this.#buffered = 0;
      const message = this.source.next();
      if (!message) return;
      link.send(message);
    }
  }

  /** WebSockets don't tell when they have sent something. */
  #wait(buffered: number): void {
    const now = Date.now();
    if (!this.#buffered || buffered < this.#buffered) this.#progress = now;
    this.#buffered = buffered;
    if (now - this.#progress > WRITE_TIMEOUT) return this.source.stalled();
    this.#polling ??= setTimeout(() => {
      this.#polling = undefined;
      this.flush();
    }, POLL);
  }
}
