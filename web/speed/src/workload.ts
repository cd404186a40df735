import type { BenchClient } from "./target.js";

/** How long a stream may keep other tasks of the page from running, in milliseconds. */
const YIELD_INTERVAL = 20;

/** Counts operations and stops the workload. */
export class Meter {
  count = 0;
  #stop = new AbortController();

  get over(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Ends streams that last as long as the load. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  stop(): void {
    this.#stop.abort();
  }

  #yielded = performance.now();

  /** Lets other tasks of the page run. Otherwise a stream of which more is there always would keep timers from running. */
  async yield(): Promise<void> {
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    });
    this.#yielded = performance.now();
  }

  /** Reports whether it is time to yield. */
  get mustYield(): boolean {
    return performance.now() - this.#yielded >= YIELD_INTERVAL;
  }

  /** Counts a response after checking its length. */
  took(payload: Uint8Array, size: number): void {
    if (payload.length !== size) throw new Error(`a payload has ${payload.length} bytes in place of ${size}`);
    this.count++;
  }
}

export interface Workload {
  name: string;
  title: string;
  /** The size of a payload in bytes. */
  size: number;
  /** What is counted. */
  unit: "calls/s" | "messages/s" | "round trips/s";
  /** The payload bytes per operation, if their rate is of interest. */
  bytes?: number;
  /** Whether the page sends a stream, which fetch cannot do. */
  sends?: boolean;
  /** Makes calls until the meter is stopped. */
  run(client: BenchClient, meter: Meter): Promise<void>;
}

const KiB = 1024;

export const workloads: readonly Workload[] = [
  unary("unary-1", 100, 1),
  unary("unary-64", 100, 64),
  download("stream", 100),
  { ...unary("unary-64k", 64 * KiB, 16), bytes: 2 * 64 * KiB },
  { ...download("stream-64k", 64 * KiB), bytes: 64 * KiB },
  {
    name: "pingpong",
    title: "a message each way in turn on one bidirectional stream, 100 B",
    size: 100,
    unit: "round trips/s",
    sends: true,
    async run(client, meter) {
      const turns = new Turns();
      for await (const { payload } of client.talk(turns.serve(meter, pattern(100)))) {
        meter.took(payload, 100);
        turns.next();
      }
    },
  },
  {
    name: "upload-64k",
    title: "one client stream, 64 KiB",
    size: 64 * KiB,
    unit: "messages/s",
    bytes: 64 * KiB,
    sends: true,
    async run(client, meter) {
      const { messages, bytes } = await client.upload(payloads(meter, pattern(64 * KiB)));
      const [want, got] = [BigInt(meter.count), messages];
      if (got !== want || bytes !== want * BigInt(64 * KiB)) throw new Error(`${want} messages were sent, ${got} have arrived`);
    },
  },
];

function unary(name: string, size: number, inFlight: number): Workload {
  return {
    name,
    title: `unary calls, ${inFlight} in flight, ${size < KiB ? `${size} B` : `${size / KiB} KiB`} each way`,
    size,
    unit: "calls/s",
    async run(client, meter) {
      const payload = pattern(size);
      const answer = await client.echo({ payload });
      if (!answer.payload.every((b, i) => b === payload[i])) throw new Error("the answer is not what was sent");
      const caller = async () => {
        while (!meter.over) meter.took((await client.echo({ payload })).payload, size);
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
    },
  };
}

function download(name: string, size: number): Workload {
  return {
    name,
    title: `one server stream, ${size < KiB ? `${size} B` : `${size / KiB} KiB`}`,
    size,
    unit: "messages/s",
    async run(client, meter) {
      try {
        for await (const { payload } of client.download({ size }, { signal: meter.signal })) {
          meter.took(payload, size);
          if (meter.mustYield) await meter.yield();
        }
      } catch (e) {
        if (!meter.over) throw e; // otherwise it has ended as expected
        return;
      }
      if (!meter.over) throw new Error("the stream has ended");
    },
  };
}

/** Returns bytes of which no two neighbors are equal. */
export const pattern = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 151) & 255);

async function* payloads(meter: Meter, payload: Uint8Array) {
  for (; !meter.over; meter.count++) yield { payload };
}

/** Makes the messages of a stream wait for each other. */
class Turns {
  next: () => void = () => {};

  async *serve(meter: Meter, payload: Uint8Array) {
    while (!meter.over) {
      const turn = new Promise<void>((resolve) => {
        this.next = resolve;
      });
      yield { payload };
      await turn;
    }
  }
}
