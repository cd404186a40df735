/**
 * How often typing is reported, and after how long without a key it ends, in milliseconds. The server forgets a report after 6
 * s.
 */
const REPEAT = 3000;
const IDLE = 5000;

/** Detects when the user starts and stops typing. */
export class Typist {
  #told: number | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private tell: (typing: boolean) => void) {}

  /** Handles a change of the draft. */
  wrote(text: string): void {
    if (!text) return this.stop();
    const now = Date.now();
    if (this.#told === undefined || now - this.#told >= REPEAT) {
      this.#told = now;
      this.tell(true);
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), IDLE);
  }

  /** The line was sent, which ends the typing for the server too. */
  said(): void {
    clearTimeout(this.#idle);
    this.#told = undefined;
  }

  stop(): void {
    if (this.#told === undefined) return;
    this.said();
    this.tell(false);
  }
}
