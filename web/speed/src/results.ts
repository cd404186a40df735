/** The result of a lane for a workload in one round. */
export interface Figure {
  /** The rate per second. */
  rate: number;
  /** The CPU time of the page's main thread per operation, in microseconds. */
  cpu: number;
}

/** All results, as stored beside the report. */
export interface Results {
  cpu: string;
  cores: number;
  kernel: string;
  versions: Record<string, string>;
  command: string;
  /** The length of the measured interval. */
  seconds: number;
  /** The results by workload, lane and round. */
  rounds: Record<string, Record<string, Figure[]>>;
  /** The error of a library for a workload that it does not support. */
  refusals: Record<string, string>;
  /** The bytes copied per byte of payload, by workload and target. */
  copied: Record<string, Record<string, number>>;
}
