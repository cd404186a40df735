/** What a function in the page has come to. */
interface Outcome {
  value?: unknown;
  error?: string;
}

/** Returns a JavaScript expression: the promise of a function's outcome, as JSON. */
export function toScript(f: (...args: never[]) => unknown, args: unknown[]): string {
  return `(async () => (${f})(...${JSON.stringify(args)}))().then(
    (value) => JSON.stringify({ value }),
    (e) => JSON.stringify({ error: String(e) + (e && e.stack ? "\\n" + e.stack : "") }))`;
}

/** Returns the value of an outcome, or throws its error. */
export function fromOutcome<R>(json: string): R {
  const { value, error } = JSON.parse(json) as Outcome;
  if (error !== undefined) throw new Error(`in the page: ${error}`);
  return value as R;
}
