import type { WebSocketConstructor } from "@parley-rpc/client";
import { type BenchClient, named, type Target, targets } from "../target.js";
import { pattern } from "../workload.js";

const MESSAGE = 64 * 1024;
const SMALL = 100;
const MIB = 1024 * 1024;
const PREPARE_MS = 150;

/** What was measured in an interval. */
export interface Interval {
  /** The payload bytes received per second, in millions, of a download. */
  rate: number;
  /** The durations of the small calls in milliseconds. */
  calls: number[];
}

/** The times when the first bytes had arrived, in milliseconds from before the dial. */
export interface Marks {
  mib?: number;
  mib16?: number;
}

/** One stream of large messages on a new connection. */
export class Transfer {
  readonly marks: Marks = {};
  #dialed: { client: BenchClient; close(): Promise<void> };
  #began = performance.now();
  #bytes = 0;
  #stop = new AbortController();
  #done: Promise<void>;
  #failure: unknown;

  constructor(target: Target, up: boolean, ...dial: Parameters<Target["dial"]>) {
    this.#dialed = target.dial(...dial);
    this.#done = (up ? this.#upload() : this.#download()).catch((e) => {
      if (!this.#stop.signal.aborted) this.#failure = e;
    });
  }

  async #download(): Promise<void> {
    const messages = this.#dialed.client.download({ size: MESSAGE }, { signal: this.#stop.signal });
    for await (const { payload } of messages) {
      if (payload.length !== MESSAGE) throw new Error(`a payload has ${payload.length} bytes in place of ${MESSAGE}`);
      this.#bytes += MESSAGE;
      if (this.#bytes === MIB) this.marks.mib = performance.now() - this.#began;
      if (this.#bytes === 16 * MIB) this.marks.mib16 = performance.now() - this.#began;
    }
  }

  async #upload(): Promise<void> {
    const payload = pattern(MESSAGE);
    const stopped = this.#stop.signal;
    async function* payloads() {
      while (!stopped.aborted) yield { payload };
    }
    await this.#dialed.client.upload(payloads(), { signal: stopped });
  }

  /** Waits until 16 MiB have arrived, at most for limitMs, and then until warmupMs have passed since the start. */
  async warm(limitMs: number, warmupMs: number): Promise<Marks> {
    while (this.marks.mib16 === undefined && performance.now() - this.#began < limitMs) await this.#pause(5);
    await this.#pause(warmupMs - (performance.now() - this.#began));
    return this.marks;
  }

  /** Measures for a while, with a small call every intervalMs. */
  async measure(ms: number, intervalMs: number): Promise<Interval> {
    const calls: number[] = [];
    const pending: Promise<void>[] = [];
    const [began, bytes] = [performance.now(), this.#bytes];
    while (performance.now() - began < ms) {
      const start = performance.now();
      pending.push(
        echo(this.#dialed.client).then(() => {
          calls.push(performance.now() - start);
        }),
      );
      await this.#pause(intervalMs);
    }
    const rate = (this.#bytes - bytes) / 1000 / (performance.now() - began);
    await Promise.all(pending);
    return { rate, calls };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#dialed.close();
    await this.#done;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
    if (this.#failure) throw this.#failure;
  }
}

async function echo(client: BenchClient): Promise<void> {
  const { payload } = await client.echo({ payload: pattern(SMALL) });
  if (payload.length !== SMALL) throw new Error(`a payload has ${payload.length} bytes in place of ${SMALL}`);
}

/** The functions that the driver calls, in a page or in its own process. */
export interface Far {
  /** Makes calls and a short download to an origin, so that the code is compiled when it counts. */
  prepare(target: string, origin: string): Promise<void>;
  /** Returns the time until the first response on a new connection, in milliseconds. */
  first(target: string): Promise<number>;
  start(target: string, up: boolean): Promise<void>;
  warm(...args: Parameters<Transfer["warm"]>): Promise<Marks>;
  measure(...args: Parameters<Transfer["measure"]>): Promise<Interval>;
  stop(): Promise<void>;
}

/** Returns the functions for calls to an origin. */
export function far(origin: string, WebSocket?: WebSocketConstructor): Far {
  let transfer: Transfer | undefined;
  const current = () => {
    if (!transfer) throw new Error("no transfer was started");
    return transfer;
  };
  return {
    async prepare(target, near) {
      for (const up of [false, true]) {
        const library = named(targets, target);
        if (up && !library.sends) continue;
        const short = new Transfer(library, up, near, WebSocket);
        await short.measure(PREPARE_MS, 2);
        await short.stop();
      }
    },
    async first(target) {
      const began = performance.now();
      const { client, close } = named(targets, target).dial(origin, WebSocket);
      await echo(client);
      const took = performance.now() - began;
      await close();
      return took;
    },
    async start(target, up) {
      transfer = new Transfer(named(targets, target), up, origin, WebSocket);
    },
    warm: (...args) => current().warm(...args),
    measure: (...args) => current().measure(...args),
    stop: () => current().stop(),
  };
}
