import type { Comeback } from "./closecode.js";

/** Draws a delay below a bound, in milliseconds. */
export type Jitter = (bound: number) => number;

/** Anything up to the bound, so that clients that were cut off together do not come back together. */
export const fullJitter: Jitter = (bound) => Math.random() * bound;

const FIRST = 100;
const MOST = 10_000;
const RESTART = 5_000;
const FIRST_LONGER = 1_000;
/** No delay is longer. */
export const MOST_LONGER = 60_000;

/** A session that lasted so long was no failure. */
export const LASTED = MOST;

const grow = (failures: number, first: number, most: number, jitter: Jitter) =>
  failures > 0 ? jitter(Math.min(most, first * 2 ** (failures - 1))) : 0;

/** The delay before the next attempt, after so many that have failed before. */
export function delayAfter(comeback: Comeback, failures: number, jitter: Jitter): number {
  if (comeback === "backs off longer") return grow(failures + 1, FIRST_LONGER, MOST_LONGER, jitter);
  if (comeback === "jittered") return Math.max(jitter(RESTART), grow(failures, FIRST, MOST, jitter));
  return grow(comeback === "at once" ? failures : failures + 1, FIRST, MOST, jitter);
}
