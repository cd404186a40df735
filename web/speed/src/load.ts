import type { BenchClient, Target } from "./target.js";
import { Meter, type Workload } from "./workload.js";

/** A running workload. */
export class Load {
  #meter = new Meter();
  #client: { client: BenchClient; close(): Promise<void> };
  #done: Promise<void>;

  constructor(target: Target, workload: Workload, ...dial: Parameters<Target["dial"]>) {
    this.#client = target.dial(...dial);
    this.#done = workload.run(this.#client.client, this.#meter);
    this.#done.catch(() => {}); // the caller of rate or stop gets the error
  }

  /** Runs for a while and returns the rate per second. */
  async rate(ms: number): Promise<number> {
    const { count } = this.#meter;
    const began = performance.now();
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, ms)),
      this.#done.then(() => Promise.reject(new Error("the load has ended by itself"))),
    ]);
    return ((this.#meter.count - count) * 1000) / (performance.now() - began);
  }

  /** Runs until the count has grown by n. */
  async times(n: number): Promise<void> {
    for (const enough = this.#meter.count + n; this.#meter.count < enough; ) await this.rate(1);
  }

  get count(): number {
    return this.#meter.count;
  }

  /** Stops the load. It fails if a response was wrong or the server has counted something else. */
  async stop(): Promise<void> {
    this.#meter.stop();
    try {
      await this.#done;
    } finally {
      await this.#client.close();
    }
  }
}
