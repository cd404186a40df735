/** How often it is said again, and how long after the last key it is over, in milliseconds. The server forgets it after 6 s. */
const REPEAT = 3000;
const IDLE = 5000;

/** Tells when somebody begins and stops to type. */
export class Typist {
  #told: number | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private tell: (typing: boolean) => void) {}

  /** What is being written is now this. */
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

  /** The line was sent, by which the server knows. */
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
