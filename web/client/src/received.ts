import { ACK_DELAY, BULK_ACK_BYTES, BULK_ACK_DELAY, MAX_UNACKED_BYTES } from "./limits.js";
import { Timer } from "./timer.js";

/** Counts the sequenced frames that have arrived, and decides when to acknowledge them (PROTOCOL.md, section 8.2). */
export class Received {
  count = 0;
  #acked = 0;
  #bytes = 0;
  /** When the next acknowledgement is due. */
  #deadline = Infinity;
  #timer = new Timer();

  /** Counts a frame. The peer keeps at most replayLimit bytes. */
  add(bytes: number, now: number, replayLimit: number): void {
    this.count++;
    this.#bytes += bytes;
    const delay =
      this.#bytes >= Math.min(replayLimit / 4, MAX_UNACKED_BYTES) ? 0 : this.#bytes < BULK_ACK_BYTES ? ACK_DELAY : BULK_ACK_DELAY;
    this.#deadline = Math.min(this.#deadline, now + delay);
  }

  /** Reports whether some frames are not acknowledged. */
  get owed(): boolean {
    return this.count > this.#acked;
  }

  /** Reports whether an acknowledgement is due. */
  due(now: number): boolean {
    return this.owed && now >= this.#deadline;
  }

  /** Makes an acknowledgement due now, if one is owed. */
  expedite(): void {
    this.#deadline = 0;
  }

  /** Calls flush when an acknowledgement is due. */
  schedule(flush: () => void, now: number): void {
    this.stop();
    if (!this.owed) return;
    this.#timer.start(this.#deadline - now, () => {
      this.expedite();
      flush();
    });
  }

  /** Returns the number to acknowledge. */
  ack(): number {
    this.stop();
    this.#bytes = 0;
    this.#deadline = Infinity;
    return (this.#acked = this.count);
  }

  /** Cancels the scheduled flush. */
  stop(): void {
    this.#timer.stop();
  }
}
