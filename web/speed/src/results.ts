import type { EngineName } from "../../testing/engines/index.js";

/** The result of a lane for a workload in one round. */
export interface Figure {
  /** The rate per second. */
  rate: number;
  /** The CPU time of the page's main thread per operation, in microseconds, if the browser tells it. */
  cpu?: number | undefined;
}

/** The results by workload, lane and round. */
export type Rounds = Record<string, Record<string, Figure[]>>;

/** All results, as stored beside the report. */
export interface Results {
  cpu: string;
  cores: number;
  kernel: string;
  versions: Record<string, string>;
  command: string;
  /** The length of the measured interval. */
  seconds: number;
  /** The results in each browser. */
  engines: Partial<Record<EngineName, Rounds>>;
  /** The error of a library for a workload that it does not support. */
  refusals: Record<string, string>;
  /** The bytes copied per byte of payload, by workload and target. */
  copied: Record<string, Record<string, number>>;
}
