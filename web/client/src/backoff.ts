import type { Reconnect } from "./closecode.js";

/** Returns a random delay below a bound, in milliseconds. */
export type Jitter = (bound: number) => number;

/** Any delay up to the bound, so that clients that were disconnected together do not reconnect together. */
export const fullJitter: Jitter = (bound) => Math.random() * bound;

const INITIAL_DELAY = 100;
const MAX_DELAY = 10_000;
const RESTART_SPREAD = 5_000;
const INITIAL_LONG_DELAY = 1_000;
/** The longest delay after an overload. */
export const MAX_LONG_DELAY = 60_000;

/** A session that lasts so long resets the backoff. */
export const STABLE_AFTER = MAX_DELAY;

const grow = (failures: number, first: number, max: number, jitter: Jitter) =>
  failures && jitter(Math.min(max, first * 2 ** (failures - 1)));

/** Returns the delay before the next attempt, in milliseconds. */
export function delayAfter(reconnect: Reconnect, failures: number, jitter: Jitter): number {
  if (reconnect === "overload") return grow(failures + 1, INITIAL_LONG_DELAY, MAX_LONG_DELAY, jitter);
  if (reconnect === "jittered") return Math.max(jitter(RESTART_SPREAD), grow(failures, INITIAL_DELAY, MAX_DELAY, jitter));
  return grow(reconnect === "now" ? failures : failures + 1, INITIAL_DELAY, MAX_DELAY, jitter);
}
