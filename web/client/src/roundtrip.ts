import { MAX_MEASUREMENT_AGE } from "./limits.js";

/** Estimates the round trip of a link: the smaller one of the last two measurements. */
export class RoundTrip {
  /** In milliseconds. */
  estimate = 0;
  #latest = Infinity;
  /** When the latest measurement began. */
  #began = 0;
  #measuring = false;

  /** Starts on a new link: HELLO is being sent, and the peer's HELLO answers it. */
  start(now: number): void {
    this.#latest = Infinity;
    this.#began = now;
    this.#measuring = true;
  }

  /** Reports whether to measure again, by a PING that is sent now. */
  begin(now: number): boolean {
    if (this.#measuring || now - this.#began < MAX_MEASUREMENT_AGE) return false;
    this.#began = now;
    return (this.#measuring = true);
  }

  /** The answer has arrived. */
  end(now: number): void {
    if (!this.#measuring) return;
    this.#measuring = false;
    const before = this.#latest;
    this.estimate = Math.min(before, (this.#latest = now - this.#began));
  }
}
