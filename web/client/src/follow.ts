import { fullJitter, type Jitter } from "./backoff.js";
import { Responses } from "./client.js";
import type { Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import { retryAfter } from "./retryinfo.js";
import * as Code from "./statuscodes.js";
import { MAX_TIMEOUT, type TimerId } from "./timer.js";

/** The options of `follow`. T is a message, and C a cursor: it says where the next call starts. */
export interface FollowOptions<T, C> {
  /** The first cursor. */
  from: C;
  /** Starts the call at a cursor. It must pass on the options: their signal ends the call. */
  open: (cursor: C, options: { signal: AbortSignal }) => AsyncIterable<T>;
  /** Returns the cursor after a message: where the next call starts. */
  cursor: (message: T) => C;
  /** Ends the loop with CANCELED. */
  signal?: AbortSignal | undefined;
  /** Additional codes that are temporary: a call that ends with one is made again. UNAVAILABLE is always temporary. */
  codes?: readonly StatusCode[] | undefined;
  /** What OK means: the end of the loop (the default), or that more may come later. */
  complete?: "end" | "reopen" | undefined;
  /**
   * The random delay before a further call: at most `initialMs` after a call with a message. Each call without one doubles the
   * bound, up to `maxMs`. Default 100 and 10,000.
   */
  backoff?: { initialMs: number; maxMs: number } | undefined;
  /** Draws the delays; default: any delay up to the bound. */
  jitter?: Jitter | undefined;
  /** Called before the delay of a further call, with the error of the last call, if any, and the delay in milliseconds. */
  onWait?: ((error: ParleyError | undefined, ms: number) => void) | undefined;
}

/**
 * Iterates over the messages of a server stream. It opens the stream again, at the cursor, whenever the stream ends before it
 * is complete: after a deploy, after a crash, and when its method asks for that with `retryLater`. The delay is added to the
 * time that the peer asks for.
 *
 * The loop ends when the stream is complete. It fails when a call fails with a code that is not temporary, or when the signal
 * is aborted. Leaving the loop cancels the call. A second loop starts at `from`.
 */
export function follow<T, C>(options: FollowOptions<T, C>): AsyncIterable<T> {
  const { initialMs, maxMs } = options.backoff ?? defaultBackoff;
  if (!(initialMs > 0 && maxMs >= initialMs)) {
    throw new ParleyError("follow: backoff.initialMs must be positive, and maxMs at least that", Code.InvalidArgument);
  }
  return { [Symbol.asyncIterator]: () => new Responses<T>(() => new Follower(options)) };
}

const defaultBackoff = { initialMs: 100, maxMs: 10_000 };

/** One loop over a followed stream. */
class Follower<T, C> {
  #cursor: C;
  #messages: AsyncIterator<T> | undefined; // of the current call
  #emptyCalls = 0; // calls in a row without a message
  #abortController = new AbortController();
  /** Ends the current wait. */
  #stop: (reason: unknown) => void = () => {};

  readonly #options: FollowOptions<T, C>;

  constructor(options: FollowOptions<T, C>) {
    this.#options = options;
    this.#cursor = options.from;
    const { signal } = options;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener("abort", this.#abort);
  }

  #abort = () => this.cancel(ParleyError.from(this.#options.signal?.reason, Code.Canceled));

  async next(): Promise<T | undefined> {
    const { open, cursor, complete } = this.#options;
    const { signal } = this.#abortController;
    for (;;) {
      if (signal.aborted) throw signal.reason;
      let error: ParleyError | undefined;
      let result: IteratorResult<T> | undefined;
      try {
        this.#messages ??= open(this.#cursor, { signal })[Symbol.asyncIterator]();
        result = await this.#untilAborted(this.#messages.next());
      } catch (e) {
        this.#messages = undefined;
        error = this.#retryable(e);
      }
      if (result && !result.done) {
        this.#cursor = cursor(result.value);
        this.#emptyCalls = 0;
        return result.value;
      }
      this.#messages = undefined;
      if (result && complete !== "reopen") {
        this.cancel();
        return undefined;
      }
      await this.#wait(error);
    }
  }

  /** Ends the loop and its current call. */
  cancel(reason: unknown = new ParleyError("canceled by the caller", Code.Canceled)): void {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#abortController.abort(reason);
    this.#stop(reason);
    const messages = this.#messages;
    this.#messages = undefined;
    if (messages) (async () => messages.return?.())().catch(() => {}); // the result is not needed
  }

  /** Returns the error of a call if it is temporary, and throws it otherwise. */
  #retryable(e: unknown): ParleyError {
    const { signal } = this.#abortController;
    const error = ParleyError.from(signal.aborted ? signal.reason : e);
    const passes = error.code === Code.Unavailable || this.#options.codes?.includes(error.code);
    if (passes && !signal.aborted) return error;
    this.cancel(error);
    throw error;
  }

  /** Waits before another call. */
  async #wait(error: ParleyError | undefined): Promise<void> {
    const { backoff = defaultBackoff, jitter = fullJitter, onWait } = this.#options;
    const bound = Math.min(backoff.maxMs, backoff.initialMs * 2 ** this.#emptyCalls++);
    const ms = Math.min((retryAfter(error) ?? 0) + jitter(bound), MAX_TIMEOUT);
    onWait?.(error, ms);
    let timer: TimerId | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await this.#untilAborted(passed).finally(() => clearTimeout(timer));
  }

  #untilAborted<R>(what: Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      what.then(resolve, reject);
      if (this.#abortController.signal.aborted) reject(this.#abortController.signal.reason);
    });
  }
}
