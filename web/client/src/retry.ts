import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import { retryAfter } from "./retryinfo.js";

/**
 * Says which calls that have failed are made again: unary and server-streaming ones before the first message of the answer,
 * if a second call does no harm. That is so for methods whose .proto says so (option idempotency_level), and for calls with
 * the option `retryable`. The timeout bounds all attempts together. Headers and trailers are those of the last attempt;
 * interceptors see one call.
 *
 * Before each attempt there is a random delay, which is added to the time that the other end asks for (`retryAfter`). If it
 * asks for more than `maxBackoffMs`, the call is not made again.
 *
 * Besides, and without any policy, a connection repeats calls of every kind that the server surely has not seen.
 */
export interface RetryPolicy {
  /** With the first; at least 2. */
  maxAttempts: number;
  /** With which a call is made again. */
  codes: readonly Code[];
  /** Milliseconds before the second attempt: anything up to that. */
  initialBackoffMs: number;
  /** What that grows to. */
  maxBackoffMs: number;
  /** By which it grows with each attempt; 2 if not given. */
  multiplier?: number | undefined;
  /**
   * Bounds the retries of a connection over all calls, so that they do not bury a server that has trouble: a bucket of
   * tokens, from which each failure with one of the codes takes one, and to which each other call adds `ratio`. Calls are made
   * again only while it is more than half full. 10 tokens and a ratio of 0.1 if not given.
   */
  budget?: { tokens: number; ratio: number } | undefined;
  /** Draws the delays; anything up to the bound if not given. */
  jitter?: ((bound: number) => number) | undefined;
}

/** A policy with its tokens. */
export interface Retries {
  /** Books a failure, the n-th of its call. It returns how long to wait for the next attempt; undefined: there is none. */
  spend(error: ParleyError, n: number): number | undefined;
  /** Books how a call has ended. */
  ended(error: ParleyError | undefined): void;
}

/** Makes what the option `retry` of a connection takes. It fails if the policy is not one. */
export function retryPolicy(policy: RetryPolicy): Retries {
  const {
    maxAttempts,
    codes,
    initialBackoffMs,
    maxBackoffMs,
    multiplier = 2,
    jitter = (bound) => Math.random() * bound,
  } = policy;
  const { tokens: maxTokens, ratio } = policy.budget ?? { tokens: 10, ratio: 0.1 };
  const check = (holds: boolean, field: string, must: string) => {
    if (!holds) throw new ParleyError(`RetryPolicy.${field} must ${must}`, Code.InvalidArgument);
  };
  check(maxAttempts >= 2, "maxAttempts", "be at least 2");
  check(codes.length > 0, "codes", "name a code");
  check(initialBackoffMs >= 0, "initialBackoffMs", "not be negative");
  check(maxBackoffMs >= initialBackoffMs, "maxBackoffMs", "be at least initialBackoffMs");
  check(multiplier >= 1, "multiplier", "be at least 1");
  check(maxTokens > 0 && ratio >= 0, "budget", "be positive");
  let tokens = maxTokens;
  return {
    spend(error, n) {
      if (!codes.includes(error.code)) return undefined;
      tokens = Math.max(0, tokens - 1);
      const after = retryAfter(error) ?? 0;
      if (tokens <= maxTokens / 2 || n >= maxAttempts || after > maxBackoffMs) return undefined;
      return after + jitter(Math.min(maxBackoffMs, initialBackoffMs * multiplier ** (n - 1)));
    },
    ended(error) {
      if (!error || !codes.includes(error.code)) tokens = Math.min(maxTokens, tokens + ratio);
    },
  };
}
