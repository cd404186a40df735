/** The longest timeout of setTimeout, in milliseconds. A longer one would fire at once. */
export const MAX_TIMEOUT = 2 ** 31 - 1;

export type TimerId = ReturnType<typeof setTimeout>;

/** A timer for one callback at a time. */
export class Timer {
  #id: TimerId | undefined;

  /** Reports whether the timer is running. */
  get running(): boolean {
    return this.#id !== undefined;
  }

  /** Calls f after ms, but not later than MAX_TIMEOUT. It does nothing if the timer is running. */
  start(ms: number, f: () => void): void {
    this.#id ??= setTimeout(
      () => {
        this.#id = undefined;
        f();
      },
      Math.min(ms, MAX_TIMEOUT),
    );
  }

  stop(): void {
    clearTimeout(this.#id);
    this.#id = undefined;
  }
}
