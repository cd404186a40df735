import { Code } from "./code.js";
import type { ParleyError } from "./error.js";
import { NO_LAST_STREAM } from "./goaway.js";
import type { Stream } from "./stream.js";
import { RuleError } from "./varint.js";

/** The streams of a session: those that are open, by id, and those that wait to be opened. */
export class StreamTable {
  readonly pending = new Set<Stream>();
  /** Those that may have something to send. */
  readonly ready = new Set<Stream>();
  /** How many of the open ones this end has opened. */
  local = 0;
  /** How many the peer has opened. */
  remote = 0;
  /** The highest id of the peer. */
  lastRemote = 0;
  #open = new Map<number, Stream>();
  #nextId = 1;

  get size(): number {
    return this.#open.size + this.pending.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  /** The open ones; some may be closed meanwhile. */
  open(): Stream[] {
    return [...this.#open.values()];
  }

  /** Reports whether a stream with this id was opened. */
  wasOpened(id: number): boolean {
    return id % 2 ? id < this.#nextId : id <= this.lastRemote;
  }

  /** Opens a stream that was pending. */
  openPending(stream: Stream): void {
    this.pending.delete(stream);
    this.#open.set(this.#nextId, stream);
    this.local++;
    stream.start(this.#nextId);
    this.#nextId += 2;
    this.ready.add(stream);
  }

  /** Removes and returns the pending streams: all, or those that wait for a connection. */
  takePending(waitingOnly: boolean): Stream[] {
    const taken = [...this.pending].filter((s) => s.waitForReady || !waitingOnly);
    for (const s of taken) this.pending.delete(s);
    return taken;
  }

  /** Checks the id of a stream that the peer opens, and takes note of it. */
  checkRemote(id: number): void {
    const local = id % 2 === 1;
    if (local || id <= this.lastRemote) throw new RuleError(local ? "S1" : "S2");
    this.lastRemote = id;
  }

  /** Adds one that the peer has opened. */
  accept(stream: Stream, id: number): void {
    this.#open.set(id, stream);
    this.remote++;
    stream.start(id);
  }

  /** Removes a stream. It reports whether that was open. */
  delete(stream: Stream): boolean {
    this.pending.delete(stream);
    this.ready.delete(stream);
    const open = this.#open.delete(stream.id);
    if (open && stream.makeHeader) this.local--;
    else if (open) this.remote--;
    return open;
  }

  /** Fails the pending streams: all, as unprocessed, or those that do not wait for a connection. */
  failPending(error: ParleyError, all: boolean): void {
    for (const s of [...this.pending]) {
      if (all || !s.waitForReady || error.code !== Code.Unavailable) s.fail(error, all);
    }
  }

  /** Fails the open streams that the peer has not processed: the local ones above last. */
  failAbove(error: ParleyError, last: number): void {
    for (const s of this.open()) if (s.makeHeader && s.id > last) s.fail(error, true);
  }

  /** Fails the open streams, first those that the peer has not processed. */
  failOpen(error: ParleyError, last = NO_LAST_STREAM): void {
    this.failAbove(error, last);
    for (const s of this.open()) s.fail(error, false);
  }

  /** Starts again with the first ids, for another session. No stream is open then. */
  reset(): void {
    this.#nextId = 1;
    this.lastRemote = 0;
  }
}
