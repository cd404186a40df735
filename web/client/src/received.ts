import { Timer } from "./timer.js";

/** Half of the delay that the protocol allows, in milliseconds: hidden pages run timers late. */
const ACK_DELAY = 500;

/** Counts the sequenced frames that have arrived, and decides when to acknowledge them (PROTOCOL.md, section 8.2). */
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

  /** Reports whether some frames are not acknowledged. */
  get owed(): boolean {
    return this.count > this.#acked;
  }

  /** Reports whether an acknowledgement is due. */
  due(replayLimit: number, now: number): boolean {
    return this.owed && (this.#bytes >= replayLimit / 4 || now - this.#since >= ACK_DELAY);
  }

  /** Makes an acknowledgement due now, if one is owed. */
  expedite(): void {
    this.#since = 0;
  }

  /** Calls flush after the delay, if an acknowledgement is owed. */
  schedule(flush: () => void): void {
    if (this.owed) this.#timer.start(ACK_DELAY, flush);
  }

  /** Returns the number to acknowledge. */
  ack(): number {
    this.stop();
    this.#bytes = 0;
    return (this.#acked = this.count);
  }

  /** Cancels the scheduled flush. */
  stop(): void {
    this.#timer.stop();
  }
}
