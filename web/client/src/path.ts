import { MAX_GROWTH, MIN_IN_FLIGHT } from "./limits.js";

/**
 * Limits how many bytes are in flight: sent, and not acknowledged. More than the path holds only waits in a queue, ahead of every
 * small message (docs/design/flow.md). Times are in milliseconds.
 */
export class Path {
  /** The shortest round trip that is known, and that of this round. */
  #shortest = Infinity;
  #least = Infinity;
  /** The highest rate of this round, in bytes per millisecond. */
  #best = 0;
  /** When this round began, and the last dip; 0: there was none, this is start-up. */
  #began = 0;
  #dipped = 0;
  /** The rate before the dip; 0: there is none now. */
  #rate = 0;
  readonly #max: number;
  /** How many bytes may be in flight. */
  declare limit: number;

  constructor(limit: number) {
    this.limit = limit;
    this.#max = MAX_GROWTH * limit;
  }

  /**
   * Learns from an ACK. The last frame that it covers was sent at sentAt; inFlight bytes were then in flight. It has acknowledged
   * so many bytes, and left so many in flight.
   */
  ack(now: number, sentAt: number, inFlight: number, acked: number, left: number): void {
    const roundTrip = Math.max(now - sentAt, 1);
    const inDip = this.#rate;
    let limit = 0;
    this.#shortest = Math.min(this.#shortest, roundTrip);
    this.#least = Math.min(this.#least, roundTrip);
    this.#best = Math.max(this.#best, inFlight / roundTrip);
    // An ACK that leaves nothing in flight is late: the peer has waited for more.
    if (!left) limit = 2 * acked;
    else if (inFlight >= MIN_IN_FLIGHT) {
      const over = sentAt > this.#began; // the round, or the dip
      if (over && inDip) {
        this.#shortest = roundTrip;
        this.#rate = 0;
      }
      const target = 1.05 * this.#shortest + 10;
      if (!inDip) limit = inFlight * (this.#dipped || target < roundTrip ? target / roundTrip : 2);
      else if (over) limit = inDip * target;
      if (over) {
        const long = this.#least > target + 15;
        const wait = long ? 2000 : inFlight > 0.8 * this.limit ? 10_000 : Infinity;
        if (!inDip && now - this.#dipped > wait) {
          this.#dipped = now;
          this.#rate = this.#best;
          this.limit = 0;
          limit = Math.max((this.#best * this.#shortest) / 2, 2 * acked, MIN_IN_FLIGHT);
        }
        this.#began = now;
        this.#least = Infinity;
        this.#best = 0;
      }
    }
    this.limit = Math.min(Math.max(this.limit, limit), this.#max);
  }
}
