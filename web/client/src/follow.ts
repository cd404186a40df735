import { fullJitter, type Jitter } from "./backoff.js";
import { Responses } from "./client.js";
import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import { retryAfter } from "./retryinfo.js";
import { LONGEST, type Timer } from "./timer.js";

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
  complete?: "end" | "again" | undefined;
  /**
   * Before a further call there is a random wait: at most `firstMs` after a call that has brought a message, twice as long with
   * each that has not, and at most `mostMs`. 100 and 10,000 if not given.
   */
  backoff?: { firstMs: number; mostMs: number } | undefined;
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
  const { firstMs, mostMs } = options.backoff ?? standardBackoff;
  if (!(firstMs > 0 && mostMs >= firstMs)) {
    throw new ParleyError("follow: backoff.firstMs must be positive, and mostMs at least that", Code.InvalidArgument);
  }
  return { [Symbol.asyncIterator]: () => new Responses<T>(() => new Follower(options)) };
}

const standardBackoff = { firstMs: 100, mostMs: 10_000 };

/** One loop over a followed stream. */
class Follower<T, C> {
  #cursor: C;
  #answers: AsyncIterator<T> | undefined; // of the call under way
  #fruitless = 0; // calls in a row that have brought no message
  #over = new AbortController();
  /** Ends what is waited for. */
  #stop: (reason: unknown) => void = () => {};

  constructor(private options: FollowOptions<T, C>) {
    this.#cursor = options.from;
    const { signal } = options;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener("abort", this.#abort);
  }

  #abort = () => this.cancel(ParleyError.from(this.options.signal?.reason, Code.Canceled));

  async next(): Promise<T | undefined> {
    const { open, cursor, complete } = this.options;
    const { signal } = this.#over;
    for (;;) {
      if (signal.aborted) throw signal.reason;
      let error: ParleyError | undefined;
      let result: IteratorResult<T> | undefined;
      try {
        this.#answers ??= open(this.#cursor, { signal })[Symbol.asyncIterator]();
        result = await this.#unlessOver(this.#answers.next());
      } catch (e) {
        this.#answers = undefined;
        error = this.#passing(e);
      }
      if (result && !result.done) {
        this.#cursor = cursor(result.value);
        this.#fruitless = 0;
        return result.value;
      }
      this.#answers = undefined;
      if (result && complete !== "again") {
        this.cancel();
        return undefined;
      }
      await this.#wait(error);
    }
  }

  /** Ends it, with the call under way. */
  cancel(reason: unknown = new ParleyError("canceled by the caller", Code.Canceled)): void {
    this.options.signal?.removeEventListener("abort", this.#abort);
    this.#over.abort(reason);
    this.#stop(reason);
    const answers = this.#answers;
    this.#answers = undefined;
    if (answers) (async () => answers.return?.())().catch(() => {}); // nobody waits for it
  }

  /** Returns what a call has ended with if that passes, and throws it if not. */
  #passing(e: unknown): ParleyError {
    const { signal } = this.#over;
    const error = ParleyError.from(signal.aborted ? signal.reason : e);
    const passes = error.code === Code.Unavailable || this.options.codes?.includes(error.code);
    if (passes && !signal.aborted) return error;
    this.cancel(error);
    throw error;
  }

  /** Waits until it is time for another call. */
  async #wait(error: ParleyError | undefined): Promise<void> {
    const { backoff = standardBackoff, jitter = fullJitter, onWait } = this.options;
    const bound = Math.min(backoff.mostMs, backoff.firstMs * 2 ** this.#fruitless++);
    const ms = Math.min((retryAfter(error) ?? 0) + jitter(bound), LONGEST);
    onWait?.(error, ms);
    let timer: Timer | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await this.#unlessOver(passed).finally(() => clearTimeout(timer));
  }

  #unlessOver<R>(what: Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      what.then(resolve, reject);
      if (this.#over.signal.aborted) reject(this.#over.signal.reason);
    });
  }
}
