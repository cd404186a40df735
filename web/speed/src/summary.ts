/** The statistics of the rounds. */
export interface Summary {
  median: number;
  least: number;
  most: number;
}

/** Summarizes at least one value. The median of an even number of values is the mean of the two in the middle. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[Math.floor(i)] as number;
  const n = sorted.length;
  return { median: (at((n - 1) / 2) + at(n / 2)) / 2, least: at(0), most: at(n - 1) };
}

/** Formats at least three digits: 0.12, 1.23, 12.3, 123, 12,345. */
export function number(v: number): string {
  const digits = v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
  return v.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
