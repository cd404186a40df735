/** Half of what is allowed, in milliseconds, as timers are late in pages that nobody looks at. */
export const ACK_DELAY = 500;

/** Counts the sequenced frames that have arrived in a session, and tells when to acknowledge them (PROTOCOL.md, section 8.2). */
export class Received {
  count = 0;
  #acked = 0;
  #bytes = 0;
  #since = 0;

  add(bytes: number, now: number): void {
    if (!this.owed) this.#since = now;
    this.count++;
    this.#bytes += bytes;
  }

  /** Whether some are not acknowledged. */
  get owed(): boolean {
    return this.count > this.#acked;
  }

  /** Whether that has to be done now. */
  due(replayLimit: number, now: number): boolean {
    return this.owed && (this.#bytes >= replayLimit / 4 || now - this.#since >= ACK_DELAY);
  }

  /** Has what is owed acknowledged with the next flush. */
  expedite(): void {
    this.#since = 0;
  }

  /** Returns what to acknowledge. */
  ack(): number {
    this.#bytes = 0;
    return (this.#acked = this.count);
  }
}
