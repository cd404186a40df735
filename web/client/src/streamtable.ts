import type { Stream } from "./stream.js";

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
  highestRemote = 0;
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
    return id % 2 ? id < this.#nextId : id <= this.highestRemote;
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

  /** Adds one that the peer has opened. */
  accept(stream: Stream, id: number): void {
    this.#open.set(id, stream);
    this.remote++;
    stream.start(id);
  }

  /** Forgets a stream. It reports whether that was open. */
  delete(stream: Stream): boolean {
    this.pending.delete(stream);
    this.ready.delete(stream);
    const open = this.#open.delete(stream.id);
    if (open && stream.makeHeader) this.local--;
    else if (open) this.remote--;
    return open;
  }

  /** Starts again with the first ids, for another session. None is open then. */
  reset(): void {
    this.#nextId = 1;
    this.highestRemote = 0;
  }
}
