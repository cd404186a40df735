import { Queue } from "./queue.js";

/** The sequenced frames that were sent and not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** How many the other end has received, as far as is known. */
  acked = 0;
  /** How many bytes are kept. */
  bytes = 0;
  readonly frames = new Queue<Uint8Array<ArrayBuffer>>();

  push(frame: Uint8Array<ArrayBuffer>): void {
    this.bytes += frame.length;
    this.frames.push(frame);
  }

  /** Forgets the frames up to number n. It tells if n can be. */
  ack(n: number): boolean {
    if (n < this.acked || n - this.acked > this.frames.length) return false;
    for (; this.acked < n; this.acked++) this.bytes -= this.frames.shift()!.length;
    return true;
  }
}
