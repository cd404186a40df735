/** A browser that is measured. */
export interface Browser {
  /** The version, as in "153.8.0". */
  version(): Promise<string>;
  /** Opens a page. */
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

/** An open page. */
export interface Tab {
  /** Returns the value of an expression, or of the promise that it returns. */
  evaluate<T>(expression: string): Promise<T>;
  /** Puts the page in front: browsers slow down the timers of others. */
  show(): Promise<void>;
  /** Returns the CPU time of the page's main thread in seconds. Undefined if the browser does not tell it. */
  readonly cpuTime?: () => Promise<number>;
  /** Writes a CPU profile of what happens meanwhile. Undefined if the browser has none. */
  readonly profile?: <T>(path: string, during: () => Promise<T>) => Promise<T>;
}
