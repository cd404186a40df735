import * as f from "./frame.js";

/** Appends a frame to the link message. */
export type Emit = (head: number, id: number, payload: Uint8Array) => void;

/** The size of a RESET for a stream that the peer has opened; 0 for others. */
const cost = (id: number, payload: Uint8Array) => (id % 2 ? 0 : payload.length + 8);

/** The control frames that wait to be sent. They precede the frames of streams. */
export class Control {
  #pong: Uint8Array | undefined;
  #ping = false;
  #goaway: Uint8Array | undefined;
  #resets: (readonly [id: number, payload: Uint8Array])[] = [];
  #windows = new Map<number, number>();

  /** The bytes of waiting RESET frames for the peer's streams. */
  peerResetBytes = 0;

  ping(): void {
    this.#ping = true;
  }

  /** Answers a PING. Only the latest one is answered. */
  pong(payload: Uint8Array): void {
    this.#pong = payload.slice();
  }

  goaway(payload: Uint8Array): void {
    this.#goaway = payload;
  }

  reset(id: number, payload: Uint8Array): void {
    this.#resets.push([id, payload]);
    this.peerResetBytes += cost(id, payload);
  }

  window(id: number, limit: number): void {
    this.#windows.set(id, limit);
  }

  /** Drops a pending WINDOW frame: the stream is closed. */
  dropWindow(id: number): void {
    this.#windows.delete(id);
  }

  /** Emits PONG and PING, ahead of all else. */
  emitProbes(emit: Emit): void {
    if (this.#pong) emit(f.PONG, 0, this.#pong);
    if (this.#ping) emit(f.PING, 0, new Uint8Array(8));
    this.#pong = undefined;
    this.#ping = false;
  }

  /** Emits until the message is full. The rest must wait: an OPEN must not overtake the RESET that has made room for it. */
  emit(emit: Emit, full: () => boolean): void {
    if (full()) return;
    if (this.#goaway) emit(f.GOAWAY, 0, this.#goaway);
    this.#goaway = undefined;
    while (this.#resets.length && !full()) {
      const [id, payload] = this.#resets.shift()!;
      emit(f.RESET, id, payload);
      this.peerResetBytes -= cost(id, payload);
    }
  }

  /** Emits WINDOW frames until the message is full. */
  emitWindows(emit: Emit, full: () => boolean): void {
    for (const [id, limit] of this.#windows) {
      if (full()) break;
      this.#windows.delete(id);
      emit(f.WINDOW, id, f.encodeNumber(limit));
    }
  }
}
