import type { ParleyError } from "./error.js";
import { type Pair, pairsToHeaders, type ReceivedHeaders } from "./metadata.js";

/** The response header of a call. It is held while a retry may replace it, and turned into Headers only on demand. */
export class ResponseHeader {
  /** Whether the caller has asked for it. */
  requested = false;
  #held: readonly Pair[] | undefined;
  #resolve!: (pairs: readonly Pair[]) => void;
  #reject!: (error: ParleyError) => void;
  #pairs = new Promise<readonly Pair[]>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  constructor() {
    this.#pairs.catch(() => {}); // not every caller asks
  }

  /** Fulfilled when the header is released; rejected if the call fails without one. */
  get headers(): Promise<ReceivedHeaders> {
    return this.#pairs.then(pairsToHeaders);
  }

  /** Holds the header of an attempt; undefined: the attempt has failed. */
  hold(pairs: readonly Pair[] | undefined): void {
    this.#held = pairs;
  }

  /** Releases the header that is held and returns it. It returns undefined if none is held. */
  release(): readonly Pair[] | undefined {
    const pairs = this.#held;
    this.#held = undefined;
    if (pairs) this.#resolve(pairs);
    return pairs;
  }

  fail(error: ParleyError): void {
    this.#reject(error);
  }
}
