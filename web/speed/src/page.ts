import { countCopies } from "./copied.js";
import { Load } from "./load.js";
import { named, targets } from "./target.js";
import { workloads } from "./workload.js";

/** The functions of the page that the benchmark calls. */
export interface Page {
  /** Starts a workload. */
  start(target: string, workload: string, warmupMs: number): Promise<void>;
  /** Measures the rate per second. */
  rate(ms: number): Promise<number>;
  /** Returns the count since the start. */
  count(): number;
  /** Stops the workload. */
  stop(): Promise<void>;
  /** Starts a workload that the library does not support, and returns its error. */
  refusal(target: string, workload: string): Promise<string | undefined>;
  /** Returns the number of bytes copied per byte of payload. */
  copied(target: string, workload: string): Promise<number>;
}

let load: Load | undefined;
const current = () => load ?? fail("no load was started");
const fail = (text: string): never => {
  throw new Error(text);
};
const begin = (target: string, name: string) => new Load(named(targets, target), named(workloads, name), location.origin);

const page: Page = {
  async start(target, name, warmupMs) {
    load = begin(target, name);
    await load.rate(warmupMs);
  },
  rate: (ms) => current().rate(ms),
  count: () => current().count,
  stop: () => current().stop(),
  async refusal(target, name) {
    const one = begin(target, name);
    try {
      await one.times(1);
      return undefined;
    } catch (e) {
      return String(e);
    } finally {
      await one.stop().catch(() => {}); // the same error again
    }
  },
  async copied(target, name) {
    const w = named(workloads, name);
    const one = begin(target, name);
    await one.times(10);
    const counted = countCopies();
    const before = one.count;
    await one.times(100);
    const bytes = counted();
    const passed = (one.count - before) * (w.bytes ?? w.size);
    await one.stop();
    return bytes / passed;
  },
};

Object.assign(globalThis, { page });
