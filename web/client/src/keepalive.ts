import { HELLO_TIMEOUT, PONG_TIMEOUT } from "./limits.js";
import type { RoundTrip } from "./roundtrip.js";
import { Timer } from "./timer.js";

/** Detects a dead link (PROTOCOL.md, section 9), and measures the round trip of a link that is alive. */
export class Keepalive {
  #lastReceived = 0;
  #awaitingPong = false;
  #interval = 0; // 0: the peer's HELLO has not arrived
  #timer = new Timer();
  /** Called at the next PONG. */
  #onAlive: (() => void) | undefined;

  readonly #roundTrip: RoundTrip;
  readonly #ping: () => void;
  readonly #lost: (why: string) => void;

  constructor(roundTrip: RoundTrip, ping: () => void, lost: (why: string) => void) {
    this.#roundTrip = roundTrip;
    this.#ping = ping;
    this.#lost = lost;
  }

  /** Starts on a new link, where the peer's HELLO must arrive in time. */
  start(): void {
    this.#interval = 0;
    this.#roundTrip.start(this.touch());
    this.#watch(HELLO_TIMEOUT);
  }

  /** The peer's HELLO has arrived. From now on a silent link gets a PING at each interval, in milliseconds. */
  helloReceived(interval: number): void {
    this.#interval = interval;
    this.#roundTrip.end(this.#lastReceived);
    this.#watch(interval);
  }

  /** Records that something has arrived. It returns the time. */
  touch(): number {
    this.#awaitingPong = false;
    return (this.#lastReceived = Date.now());
  }

  /**
   * Sends a PING and loses the link unless something arrives within ms. It calls onAlive at the PONG, unless the link is lost
   * first.
   */
  probe(ms: number, onAlive = this.#onAlive): void {
    this.#onAlive = onAlive;
    this.#awaitingPong = true;
    this.#ping();
    this.#watch(ms);
  }

  /** Handles a PONG. */
  pong(): void {
    this.#roundTrip.end(this.#lastReceived);
    this.#onAlive?.();
    this.#onAlive = undefined;
  }

  stop(): void {
    this.#timer.stop();
    this.#onAlive = undefined;
  }

  #watch(ms: number): void {
    this.#timer.stop();
    this.#timer.start(ms, () => {
      if (!this.#interval) return this.#lost("no HELLO in time");
      if (this.#awaitingPong) return this.#lost("no PONG in time");
      const left = this.#lastReceived + this.#interval - Date.now();
      if (left > 0) this.#watch(left);
      else this.probe(Math.min(this.#interval, PONG_TIMEOUT));
    });
  }
}
