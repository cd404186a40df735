import type { ParleyError } from "./error.js";
import { type Pair, pairsToHeaders } from "./metadata.js";

/**
 * The header of a call's response. It is held while another attempt may replace it. Headers are made of it only for callers
 * that want them.
 */
export class ResponseHeader {
  /** Reports whether the caller has asked for it. */
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

  /** Settled when the header is released, or the call has failed without one. */
  get headers(): Promise<Headers> {
    return this.#pairs.then(pairsToHeaders);
  }

  /** Holds the header of an attempt; undefined: that attempt has failed. */
  hold(pairs: readonly Pair[] | undefined): void {
    this.#held = pairs;
  }

  /** Settles headers with the one that is held, and returns that. It returns undefined if none is. */
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
