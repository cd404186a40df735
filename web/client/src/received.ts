import { Timer } from "./timer.js";

/** Half of what is allowed, in milliseconds: timers are late in pages that are hidden. */
const ACK_DELAY = 500;

/** Counts the sequenced frames that have arrived in a session, and decides when to acknowledge them (PROTOCOL.md, section 8.2). */
export class Received {
  count = 0;
  #acked = 0;
  #bytes = 0;
  #since = 0;
  #timer = new Timer();

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

  /** Makes what is owed due now. */
  expedite(): void {
    this.#since = 0;
  }

  /** Calls flush when an acknowledgement is due by its age, if one is owed. */
  schedule(flush: () => void): void {
    if (this.owed) this.#timer.start(ACK_DELAY, flush);
  }

  /** Returns what to acknowledge. */
  ack(): number {
    this.stop();
    this.#bytes = 0;
    return (this.#acked = this.count);
  }

  /** Stops the timer: there is no link, or nothing is owed. */
  stop(): void {
    this.#timer.stop();
  }
}
