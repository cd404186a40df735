import { Path } from "../src/path.js";

/** Bytes in a millisecond. */
export const MBIT = 1e6 / 8 / 1000;

const KIB = 1024;

/** How a peer acknowledges: at once after so many bytes, and soon after so many. */
export interface Acknowledges {
  atOnce: number;
  soon: number;
}

export const asNow: Acknowledges = { atOnce: 64 * KIB, soon: 8 * KIB };
/** As the specification demands, and no sooner: after a quarter of replay_limit, or half a second. */
export const asBefore: Acknowledges = { atOnce: 256 * KIB, soon: Infinity };

interface Sent {
  bytes: number;
  at: number;
  inFlight: number;
  queued: number;
}

/** A path in virtual time, with a sender, and a receiver that acknowledges. The bottleneck's queue has no bound. */
export class Model {
  readonly path = new Path(1 << 20);
  now = 1_000_000;
  received = 0;
  inFlight = 0;
  /** How much later each frame and each ACK is, in milliseconds. */
  jitter: () => number = () => 0;
  #events: [at: number, f: () => void][] = [];
  #sent: Sent[] = [];
  #arrived: Sent[] = [];
  #free = 0; // when the bottleneck has sent all that it has
  #last = 0; // when the last frame arrives
  #deadline = Infinity;
  #delays: number[] = [];

  constructor(
    public roundTrip: number,
    public rate: number,
    readonly peer = asNow,
    /** How many bytes the application has to send. */
    public backlog = Infinity,
  ) {}

  #after(ms: number, f: () => void): void {
    const at = this.now + ms;
    let i = this.#events.length;
    while (i > 0 && this.#events[i - 1]![0] > at) i--;
    this.#events.splice(i, 0, [at, f]);
  }

  run(ms: number): void {
    const end = this.now + ms;
    this.send();
    while (this.#events.length && this.#events[0]![0] <= end) {
      const [at, f] = this.#events.shift()!;
      this.now = at;
      f();
    }
    this.now = end;
  }

  send(size = 32 * KIB): void {
    while (this.backlog > 0 && this.inFlight < this.path.limit) {
      const bytes = Math.min(size, this.backlog);
      this.backlog -= bytes;
      this.inFlight += bytes;
      this.#free = Math.max(this.#free, this.now) + bytes / this.rate;
      const sent = { bytes, at: this.now, inFlight: this.inFlight, queued: this.#free - this.now };
      this.#sent.push(sent);
      this.#last = Math.max(this.#last, this.#free + this.roundTrip / 2 + this.jitter());
      this.#after(this.#last - this.now, () => this.#arrive(sent));
    }
  }

  #arrive(sent: Sent): void {
    this.received += sent.bytes;
    this.#delays.push(sent.queued);
    this.#arrived.push(sent);
    const bytes = this.#arrived.reduce((n, s) => n + s.bytes, 0);
    if (bytes >= this.peer.atOnce) return this.#acknowledge();
    const deadline = this.now + (bytes >= this.peer.soon ? 5 : 500);
    if (deadline >= this.#deadline) return;
    this.#deadline = deadline;
    this.#after(deadline - this.now, () => this.#deadline === deadline && this.#acknowledge());
  }

  #acknowledge(): void {
    const n = this.#arrived.length;
    this.#arrived = [];
    this.#deadline = Infinity;
    this.#after(this.roundTrip / 2 + this.jitter(), () => {
      const covered = this.#sent.splice(0, n);
      const acked = covered.reduce((sum, s) => sum + s.bytes, 0);
      const { at } = covered.at(-1)!;
      const inFlight = Math.max(...covered.map((s) => s.inFlight));
      this.inFlight -= acked;
      this.path.ack(this.now, at, inFlight, acked, this.inFlight);
      this.send();
    });
  }

  /** Returns which part of the link is used, and the median of the delays in its queue. */
  measure(ms: number): { share: number; queued: number } {
    const before = this.received;
    this.#delays = [];
    this.run(ms);
    this.#delays.sort((a, b) => a - b);
    return { share: (this.received - before) / ms / this.rate, queued: this.#delays[this.#delays.length >> 1] as number };
  }
}
