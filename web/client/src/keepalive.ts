import type { Timer } from "./timer.js";

const HELLO_TIMEOUT = 10_000;
const PONG_TIMEOUT = 10_000;

/** Watches whether a link lives (PROTOCOL.md, section 9). */
export class Keepalive {
  #heard = 0;
  #asked = false;
  #every = 0; // 0: the peer has not greeted
  #timer: Timer | undefined;

  constructor(
    private ping: () => void,
    private lost: (why: string) => void,
  ) {}

  /** There is a link, on which HELLO has to come. */
  start(): void {
    this.#every = 0;
    this.heard();
    this.#watch(HELLO_TIMEOUT);
  }

  /** HELLO has come: from now on there is a sign of life every so many milliseconds. */
  greeted(every: number): void {
    this.#every = every;
    this.#watch(every);
  }

  /** Something has come. It returns when. */
  heard(): number {
    this.#asked = false;
    return (this.#heard = Date.now());
  }

  /** Asks for a sign of life, which has to come within so many milliseconds. */
  ask(ms: number): void {
    this.#asked = true;
    this.ping();
    this.#watch(ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#asked = false;
  }

  #watch(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#every) return this.lost("no HELLO in time");
      if (this.#asked) return this.lost("no sign of life");
      const left = this.#heard + this.#every - Date.now();
      if (left > 0) this.#watch(left);
      else this.ask(Math.min(this.#every, PONG_TIMEOUT));
    }, ms);
  }
}
