import { Timer } from "./timer.js";

/** The time before a call's next attempt. */
export class RetryWait {
  #timer = new Timer();
  #resolve!: () => void;
  /** Settled when the attempt has started, or the wait was canceled. */
  readonly done = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  constructor(ms: number, start: () => void) {
    this.#timer.start(ms, () => {
      start();
      this.#resolve();
    });
  }

  cancel(): void {
    this.#timer.stop();
    this.#resolve();
  }
}
