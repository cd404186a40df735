/** What the program that starts this one wants measured: its only argument, as JSON. */
export interface Order {
  /** In a page, or in this process. */
  runtime: "chromium" | "node";
  target: string;
  /** The server at the end of the path. */
  url: string;
  /** The server without a path. */
  near: string;
  roundTripMs: number;
  warmupMs: number;
  measureMs: number;
  /** How long to wait for the first 16 MiB. */
  markLimitMs: number;
  workloads: ("first" | "download" | "upload")[];
}

/** A line of this program's output: a question, or what was measured. */
export type Line = { Ask: "received" } | { Version: string; Workload: string; Figures?: Record<string, number>; Error?: string };

/** A line of its input. */
export interface Answer {
  /** The payload bytes of all uploads that the server has received. */
  Received: number;
}
