import { ParleyError } from "./error.js";
import * as Code from "./statuscodes.js";
import { MAX_TIMEOUT, type TimerId } from "./timer.js";

/** The time limits of a call: its deadline and its idle timeout. */
export class CallLimits {
  #deadline = Infinity;
  #timer: TimerId | undefined;
  #lastMessage = Date.now();
  #idle: TimerId | undefined;

  /** Calls fail when a limit is exceeded; fail ends the call. */
  readonly #fail: (error: ParleyError) => void;

  constructor(fail: (error: ParleyError) => void) {
    this.#fail = fail;
  }

  /** Starts the given limits, in milliseconds. */
  start(timeoutMs: number | undefined, idleTimeoutMs: number | undefined): void {
    if (timeoutMs !== undefined) this.#startDeadline(timeoutMs);
    if (idleTimeoutMs !== undefined) this.#watchIdle(idleTimeoutMs);
  }

  /** Starts the deadline. A longer one than MAX_TIMEOUT is ignored. */
  #startDeadline(ms: number): void {
    if (ms > MAX_TIMEOUT) return;
    const expire = () => this.#fail(new ParleyError(`no response within ${ms} ms`, Code.DeadlineExceeded));
    this.#deadline = Date.now() + ms;
    if (ms > 0) this.#timer = setTimeout(expire, ms);
    else expire();
  }

  #watchIdle(ms: number): void {
    const left = this.#lastMessage + ms - Date.now();
    if (left > MAX_TIMEOUT) return;
    if (left > 0) this.#idle = setTimeout(() => this.#watchIdle(ms), left);
    else this.#fail(new ParleyError(`idle: no message for ${ms} ms`, Code.DeadlineExceeded));
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
    clearTimeout(this.#timer);
    clearTimeout(this.#idle);
  }
}
