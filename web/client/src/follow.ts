import { fullJitter, type Jitter } from "./backoff.js";
import { Responses } from "./client.js";
import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import { retryAfter } from "./retryinfo.js";
import { MAX_TIMEOUT, type TimerId } from "./timer.js";

/** What `follow` is told. T is a message, C a cursor: what says from where on messages are wanted. */
export interface FollowOptions<T, C> {
  /** The first cursor. */
  from: C;
  /** Makes the call, from a cursor on. It passes the options on, whose signal ends the call. */
  open: (cursor: C, options: { signal: AbortSignal }) => AsyncIterable<T>;
  /** Takes the cursor from a message: from where on to go on behind it. */
  cursor: (message: T) => C;
  /** Ends it all: the loop fails with CANCELED. */
  signal?: AbortSignal | undefined;
  /** Further codes that pass: a call that ends with one is made again. UNAVAILABLE always passes. */
  codes?: readonly Code[] | undefined;
  /** What a stream that is complete (OK) means: the end, which holds if not given, or that there may be more later. */
  complete?: "end" | "reopen" | undefined;
  /**
   * Before a further call there is a random wait: at most `initialMs` after a call that has brought a message, twice as long with
   * each that has not, and at most `maxMs`. 100 and 10,000 if not given.
   */
  backoff?: { initialMs: number; maxMs: number } | undefined;
  /** Draws the waits; anything up to the bound if not given. */
  jitter?: Jitter | undefined;
  /** Called when a call has ended and another is made after so many milliseconds; without an error if it was complete. */
  onWait?: ((error: ParleyError | undefined, ms: number) => void) | undefined;
}

/**
 * Iterates over the messages of a server stream, and opens it again, from where it was, whenever it ends without being
 * complete: after a deploy, after a crash, and when its method says so by `retryLater`. The wait before is added to the time
 * that the other end asks for.
 *
 * The loop ends when the stream is complete, and fails when a call fails with a code that does not pass, or when the signal
 * is aborted. Leaving it cancels the call. Another loop over the same begins at `from`.
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
  #messages: AsyncIterator<T> | undefined; // of the call under way
  #emptyCalls = 0; // calls in a row that have brought no message
  #abortController = new AbortController();
  /** Ends what is waited for. */
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

  /** Ends it, with the call under way. */
  cancel(reason: unknown = new ParleyError("canceled by the caller", Code.Canceled)): void {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#abortController.abort(reason);
    this.#stop(reason);
    const answers = this.#messages;
    this.#messages = undefined;
    if (answers) (async () => answers.return?.())().catch(() => {}); // nobody waits for it
  }

  /** Returns what a call has ended with if that passes, and throws it if not. */
  #retryable(e: unknown): ParleyError {
    const { signal } = this.#abortController;
    const error = ParleyError.from(signal.aborted ? signal.reason : e);
    const passes = error.code === Code.Unavailable || this.#options.codes?.includes(error.code);
    if (passes && !signal.aborted) return error;
    this.cancel(error);
    throw error;
  }

  /** Waits until it is time for another call. */
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
