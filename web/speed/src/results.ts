/** What a lane has done of a workload in one round. */
export interface Figure {
  /** How often a second. */
  rate: number;
  /** CPU time of the page's main thread for each time, in microseconds. */
  cpu: number;
}

/** All that was measured, as it is kept beside the page. */
export interface Results {
  cpu: string;
  cores: number;
  kernel: string;
  versions: Record<string, string>;
  command: string;
  /** Length of the measured interval. */
  seconds: number;
  /** Of each workload, of each lane: a figure for each round. */
  rounds: Record<string, Record<string, Figure[]>>;
  /** What a library says of a workload that it cannot do. */
  refusals: Record<string, string>;
  /** Bytes that the page copies for each byte of payload: of each workload, of each target. */
  copied: Record<string, Record<string, number>>;
}
