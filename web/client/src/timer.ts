/** Timers have no longer ones, in milliseconds: one that is set for longer ends at once. */
export const MAX_TIMEOUT = 2 ** 31 - 1;

export type TimerId = ReturnType<typeof setTimeout>;

/** A timer that is set for one thing at a time. */
export class Timer {
  #id: TimerId | undefined;

  /** Reports whether it is running. */
  get running(): boolean {
    return this.#id !== undefined;
  }

  /** Calls f after so many milliseconds, or after the longest time that a timer has. It does nothing while the timer is running. */
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
