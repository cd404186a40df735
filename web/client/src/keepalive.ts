import type { Timer } from "./timer.js";

const HELLO_TIMEOUT = 10_000;
const PONG_TIMEOUT = 10_000;

/** Watches whether a link lives (PROTOCOL.md, section 9). */
export class Keepalive {
  #lastReceived = 0;
  #awaitingPong = false;
  #interval = 0; // 0: the peer has not greeted
  #timer: Timer | undefined;

  constructor(
    private ping: () => void,
    private lost: (why: string) => void,
  ) {}

  /** There is a link, on which HELLO has to come. */
  start(): void {
    this.#interval = 0;
    this.touch();
    this.#watch(HELLO_TIMEOUT);
  }

  /** HELLO has come: from now on there is a sign of life every so many milliseconds. */
  helloReceived(interval: number): void {
    this.#interval = interval;
    this.#watch(interval);
  }

  /** Something has come. It returns when. */
  touch(): number {
    this.#awaitingPong = false;
    return (this.#lastReceived = Date.now());
  }

  /** Asks for a sign of life, which has to come within so many milliseconds. */
  probe(ms: number): void {
    this.#awaitingPong = true;
    this.ping();
    this.#watch(ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#awaitingPong = false;
  }

  #watch(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#interval) return this.lost("no HELLO in time");
      if (this.#awaitingPong) return this.lost("no PONG in time");
      const left = this.#lastReceived + this.#interval - Date.now();
      if (left > 0) this.#watch(left);
      else this.probe(Math.min(this.#interval, PONG_TIMEOUT));
    }, ms);
  }
}
