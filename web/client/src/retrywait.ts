import { Timer } from "./timer.js";

/** The delay before a retry. */
export class RetryWait {
  #timer = new Timer();
  #resolve!: () => void;
  /** Fulfilled when the retry has started, or the delay was canceled. */
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
