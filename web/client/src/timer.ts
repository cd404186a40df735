export type Timer = ReturnType<typeof setTimeout>;

/** Timers have no longer ones, in milliseconds: one that is set for longer ends at once. */
export const MAX_TIMEOUT = 2 ** 31 - 1;

/** Sets a timer; what is longer than a timer can be ends when the longest does. */
export const after = (ms: number, f: () => void): Timer => setTimeout(f, Math.min(ms, MAX_TIMEOUT));
