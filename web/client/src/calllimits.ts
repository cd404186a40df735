import { ParleyError } from "./error.js";
import * as Code from "./statuscodes.js";
import { Timer } from "./timer.js";

/** The time limits of a call: its deadline and its idle timeout. */
export class CallLimits {
  #deadline = Infinity;
  #lastMessage = Date.now();
  #timers = [new Timer(), new Timer()] as const;

  /** Calls fail when a limit is exceeded; fail ends the call. */
  readonly #fail: (error: ParleyError) => void;

  constructor(fail: (error: ParleyError) => void) {
    this.#fail = fail;
  }

  /** Starts the given limits, in milliseconds. */
  start(timeoutMs: number | undefined, idleTimeoutMs: number | undefined): void {
    const [deadline, idle] = this.#timers;
    if (timeoutMs !== undefined) {
      this.#deadline = this.#lastMessage + timeoutMs;
      this.#watch(deadline, () => this.left, `no response within ${timeoutMs} ms`);
    }
    if (idleTimeoutMs !== undefined) {
      this.#watch(idle, () => this.#lastMessage + idleTimeoutMs - Date.now(), `idle: no message for ${idleTimeoutMs} ms`);
    }
  }

  /** Ends the call with an error when no time is left. */
  #watch(timer: Timer, left: () => number, error: string): void {
    const ms = left();
    if (ms > 0) timer.start(ms, () => this.#watch(timer, left, error));
    else this.#fail(new ParleyError(error, Code.DeadlineExceeded));
  }

  /** Milliseconds until the deadline; Infinity: no deadline. */
  get left(): number {
    return this.#deadline - Date.now();
  }

  /** Records that a message was sent or read. */
  touch(): void {
    this.#lastMessage = Date.now();
  }

  stop(): void {
    for (const timer of this.#timers) timer.stop();
  }
}
