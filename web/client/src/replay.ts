/** The sequenced frames that were sent and not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** How many were sent in all. */
  sent = 0;
  /** How many the other end has received, as far as is known. */
  acked = 0;
  /** How many bytes are kept. */
  bytes = 0;
  #frames: Uint8Array<ArrayBuffer>[] = [];
  #first = 0;

  push(frame: Uint8Array<ArrayBuffer>): void {
    this.sent++;
    this.bytes += frame.length;
    this.#frames.push(frame);
  }

  /** Forgets the frames up to number n. It tells if n can be. */
  ack(n: number): boolean {
    if (n < this.acked || n > this.sent) return false;
    for (; this.acked < n; this.acked++) this.bytes -= (this.#frames[this.#first++] as Uint8Array).length;
    if (this.#first > 64 && this.#first * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }

  /** What is to be sent again. */
  frames(): Uint8Array<ArrayBuffer>[] {
    return this.#frames.slice(this.#first);
  }
}
