import { Queue } from "./queue.js";

/** The sequenced frames that were sent and are not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** The number of frames that the peer has acknowledged. */
  acked = 0;
  /** The size of the frames that are kept. */
  bytes = 0;
  readonly frames = new Queue<Uint8Array<ArrayBuffer>>();
  /** The number of frames that were sent on this link, or acknowledged. */
  #sent = 0;

  /** Adds a frame that is being sent. */
  push(frame: Uint8Array<ArrayBuffer>): void {
    this.bytes += frame.length;
    this.frames.push(frame);
    this.#sent++;
  }

  /** Returns the next frame to send again, if there is one. */
  next(): Uint8Array<ArrayBuffer> | undefined {
    const frame = this.frames.at(this.#sent - this.acked);
    if (frame) this.#sent++;
    return frame;
  }

  /** Drops the frames up to number n, which the peer has received. The others are sent again. It reports whether n is valid. */
  rewind(n: number): boolean {
    this.#sent = 0;
    return this.ack(n);
  }

  /** Drops the frames up to number n. It reports whether n is valid. */
  ack(n: number): boolean {
    if (n < this.acked || n - this.acked > this.frames.length) return false;
    for (; this.acked < n; this.acked++) this.bytes -= this.frames.shift()!.length;
    this.#sent = Math.max(this.#sent, n);
    return true;
  }
}
