/** Takes asynchronous steps one after the other. */
export class Turns {
  #last: Promise<unknown> | undefined;

  /** Whether a step is not done. */
  get busy(): boolean {
    return !!this.#last;
  }

  /** Takes a step when those before it are done, whether they have failed or not. */
  take<T>(step: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const done = (async () => {
      await before;
      return step();
    })();
    const last: Promise<void> = done.then(
      () => this.#done(last),
      () => this.#done(last),
    );
    this.#last = last;
    return done;
  }

  #done(last: Promise<void>): void {
    if (this.#last === last) this.#last = undefined;
  }
}
