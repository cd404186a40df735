import type { BenchClient, Target } from "./target.js";
import { Meter, type Workload } from "./workload.js";

/** A workload that is under way. */
export class Load {
  #meter = new Meter();
  #client: { client: BenchClient; close(): Promise<void> };
  #done: Promise<void>;

  constructor(target: Target, workload: Workload, ...dial: Parameters<Target["dial"]>) {
    this.#client = target.dial(...dial);
    this.#done = workload.run(this.#client.client, this.#meter);
    this.#done.catch(() => {}); // whoever waits is told
  }

  /** Lets it run for a while, and returns how often a second it was done. */
  async rate(ms: number): Promise<number> {
    const { count } = this.#meter;
    const began = performance.now();
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, ms)),
      this.#done.then(() => Promise.reject(new Error("the load has ended by itself"))),
    ]);
    return ((this.#meter.count - count) * 1000) / (performance.now() - began);
  }

  /** Lets it run until it was done n times more. */
  async times(n: number): Promise<void> {
    for (const enough = this.#meter.count + n; this.#meter.count < enough; ) await this.rate(1);
  }

  get count(): number {
    return this.#meter.count;
  }

  /** Ends it. It fails if an answer was wrong, or the other end has counted something else. */
  async stop(): Promise<void> {
    this.#meter.stop();
    try {
      await this.#done;
    } finally {
      await this.#client.close();
    }
  }
}
