/** The counts of this process, as tests/deploy reads them. */
export class Book {
  readonly report = {
    Calls: 0,
    Failed: 0,
    Safe: 0,
    Lost: 0,
    Duplicated: 0,
    Reordered: 0,
    Failures: {} as Record<string, number>,
    Served: [] as number[],
    Slow: [] as { Who: string; Began: number; Took: number }[],
    Without: 0,
  };

  /** Records a call that has reached a handler. */
  served(id: bigint): void {
    this.report.Served.push(Number(id));
  }

  /** Records a call that ended with OK. */
  done(kind: string, began: number, { lost = 0, duplicated = 0, reordered = 0 } = {}): void {
    const r = this.report;
    r.Calls++;
    r.Lost += lost;
    r.Duplicated += duplicated;
    r.Reordered += reordered;
    const took = Date.now() - began;
    if ((kind === "Echo" || kind === "Look") && took >= 20) r.Slow.push({ Who: "Node.js client", Began: began, Took: took });
    if (lost + duplicated + reordered > 0)
      this.#fail(`${kind} of a Node.js client: lost ${lost} duplicated ${duplicated} reordered ${reordered}`);
  }

  /** Records a call that has failed. */
  failed(kind: string, error: unknown): void {
    this.report.Failed++;
    if (kind === "Look") this.report.Safe++;
    this.#fail(`${kind} of a Node.js client: ${error}`);
  }

  #fail(what: string): void {
    this.report.Failures[what] = (this.report.Failures[what] ?? 0) + 1;
  }

  /** Records a time without a usable session, in milliseconds. */
  without(ms: number): void {
    this.report.Without = Math.max(this.report.Without, ms);
  }
}
