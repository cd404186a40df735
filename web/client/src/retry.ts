import type { DescMethod } from "@bufbuild/protobuf";
import type { CallOptions } from "./call.js";
import type { Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import { isUpload } from "./method.js";
import { retryAfter } from "./retryinfo.js";
import { RetryWait } from "./retrywait.js";
import * as Code from "./statuscodes.js";

/**
 * Selects the failed calls that are retried. They are unary or server-streaming, have no response message yet, and do no harm
 * when repeated. The option idempotency_level in the .proto says so, or the call option `retryable`. The timeout limits all
 * attempts together. Headers and trailers are those of the last attempt. Interceptors see one call.
 *
 * Each attempt follows after a random delay, which is added to the time that the peer asks for (`retryAfter`). If the peer asks
 * for more than `maxBackoffMs`, the call is not retried.
 *
 * Without any policy, a connection repeats calls of every kind that the server has certainly not processed.
 */
export interface RetryPolicy {
  /** Including the first one; at least 2. */
  maxAttempts: number;
  /** The codes that are retried. */
  codes: readonly StatusCode[];
  /** The longest delay before the second attempt, in milliseconds. */
  initialBackoffMs: number;
  /** The longest delay before any attempt. */
  maxBackoffMs: number;
  /** The growth of the delay with each attempt; default 2. */
  multiplier?: number | undefined;
  /**
   * Limits the retries of a connection over all calls, so that they do not overload a server in trouble. It is a bucket of
   * tokens: each failure with one of the codes takes one, and each other call adds `ratio`. Calls are retried only while the
   * bucket is more than half full. Default 10 tokens and a ratio of 0.1.
   */
  budget?: { tokens: number; ratio: number } | undefined;
  /** Draws the delays; default: any delay up to the bound. */
  jitter?: ((bound: number) => number) | undefined;
}

/** A policy with its tokens. */
export interface Retries {
  /** Counts the n-th failure of a call. It returns the delay of the next attempt; undefined: there is none. */
  spend(error: ParleyError, n: number): number | undefined;
  /** Counts the end of a call. */
  ended(error: ParleyError | undefined): void;
  /** Reports whether a second call does no harm. */
  covers(method: DescMethod, options: CallOptions): boolean;
  /** Calls start after ms. */
  wait(ms: number, start: () => void): RetryWait;
}

/** Creates the connection option `retry`. It throws if the policy is invalid. */
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
    covers: (method, { retryable }) => !isUpload(method) && (retryable || method.idempotency > 0),
    wait: (ms, start) => new RetryWait(ms, start),
  };
}
