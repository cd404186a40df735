import { Queue } from "./queue.js";

/** The sequenced frames that were sent and are not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** The number of frames that the peer has acknowledged. */
  acked = 0;
  /** The size of the frames that are kept. */
  bytes = 0;
  readonly frames = new Queue<Uint8Array<ArrayBuffer>>();

  push(frame: Uint8Array<ArrayBuffer>): void {
    this.bytes += frame.length;
    this.frames.push(frame);
  }

  /** Drops the frames up to number n. It reports whether n is valid. */
  ack(n: number): boolean {
    if (n < this.acked || n - this.acked > this.frames.length) return false;
    for (; this.acked < n; this.acked++) this.bytes -= this.frames.shift()!.length;
    return true;
  }
}
