import type { ParleyError } from "./error.js";
import { NO_LAST_STREAM } from "./goaway.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import { RuleError } from "./varint.js";

/** The streams of a session: open ones by id, and pending ones. */
export class StreamTable {
  readonly pending = new Set<Stream>();
  /** Streams that may have something to send. */
  readonly ready = new Set<Stream>();
  /** The number of open streams that this end has opened. */
  local = 0;
  /** The number of open streams that the peer has opened. */
  remote = 0;
  /** The highest id that the peer has used. */
  lastRemote = 0;
  #open = new Map<number, Stream>();
  #nextId = 1;

  get size(): number {
    return this.#open.size + this.pending.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  /** Returns the open streams. The caller may close some while it iterates. */
  open(): Stream[] {
    return [...this.#open.values()];
  }

  /** Reports whether a stream with this id was ever opened. */
  wasOpened(id: number): boolean {
    return id % 2 ? id < this.#nextId : id <= this.lastRemote;
  }

  /** Opens a pending stream. */
  openPending(stream: Stream): void {
    this.pending.delete(stream);
    this.#open.set(this.#nextId, stream);
    this.local++;
    stream.start(this.#nextId);
    this.#nextId += 2;
    this.ready.add(stream);
  }

  /** Removes and returns pending streams: all of them, or those that wait for a connection. */
  takePending(waitingOnly: boolean): Stream[] {
    return [...this.pending].filter((s) => (s.waitForReady || !waitingOnly) && this.pending.delete(s));
  }

  /** Checks and records the id of a stream that the peer opens. */
  checkRemote(id: number): void {
    if (id % 2) throw new RuleError("S1");
    if (id <= this.lastRemote) throw new RuleError("S2");
    this.lastRemote = id;
  }

  /** Adds a stream that the peer has opened. */
  accept(stream: Stream, id: number): void {
    this.#open.set(id, stream);
    this.remote++;
    stream.start(id);
  }

  /** Removes a stream. It reports whether the stream was open. */
  delete(stream: Stream): boolean {
    this.pending.delete(stream);
    this.ready.delete(stream);
    const open = this.#open.delete(stream.id);
    if (open && stream.makeHeader) this.local--;
    else if (open) this.remote--;
    return open;
  }

  /** Fails pending streams: all, as unprocessed, or those that do not wait for a connection. */
  failPending(error: ParleyError, all: boolean): void {
    for (const s of [...this.pending]) {
      if (all || !s.waitForReady || error.code !== Code.Unavailable) s.fail(error, all);
    }
  }

  /** Fails the local streams with ids above last, which the peer has not processed. */
  failAbove(error: ParleyError, last: number): void {
    for (const s of this.open()) if (s.makeHeader && s.id > last) s.fail(error, true);
  }

  /** Fails the open streams, those that the peer has not processed first. */
  failOpen(error: ParleyError, last = NO_LAST_STREAM): void {
    this.failAbove(error, last);
    for (const s of this.open()) s.fail(error, false);
  }

  /** Restarts the ids for another session. No stream may be open. */
  reset(): void {
    this.#nextId = 1;
    this.lastRemote = 0;
  }
}
