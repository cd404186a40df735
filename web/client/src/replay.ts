/** The sequenced frames that were sent and not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** How many the other end has received, as far as is known. */
  acked = 0;
  /** How many bytes are kept. */
  bytes = 0;
  readonly frames: Uint8Array<ArrayBuffer>[] = [];

  push(frame: Uint8Array<ArrayBuffer>): void {
    this.bytes += frame.length;
    this.frames.push(frame);
  }

  /** Forgets the frames up to number n. It tells if n can be. */
  ack(n: number): boolean {
    const count = n - this.acked;
    if (count < 0 || count > this.frames.length) return false;
    for (const frame of this.frames.splice(0, count)) this.bytes -= frame.length;
    this.acked = n;
    return true;
  }
}
