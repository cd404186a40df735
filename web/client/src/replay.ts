import { Path } from "./path.js";
import { Queue } from "./queue.js";

/** A sequenced frame that was sent and is not acknowledged. */
interface Sent {
  frame: Uint8Array<ArrayBuffer>;
  /** When it was sent, and the bytes that were then in flight, with it. */
  at: number;
  inFlight: number;
}

/** The sequenced frames that were sent and are not acknowledged, in order (PROTOCOL.md, section 8.1). */
export class Replay {
  /** The number of frames that the peer has acknowledged. */
  acked = 0;
  /** The size of the frames that are kept. */
  bytes = 0;
  readonly frames = new Queue<Sent>();
  declare path: Path;
  /** The limit of what is in flight, while nothing is known of the path. */
  declare readonly limit: number;
  /** The number of frames that were sent on this link, or acknowledged. */
  #sent = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.path = new Path(limit);
  }

  /** Adds a frame that is being sent. */
  push(frame: Uint8Array<ArrayBuffer>, now: number): void {
    this.bytes += frame.length;
    this.frames.push({ frame, at: now, inFlight: this.bytes });
    this.#sent++;
  }

  /** Returns the next frame to send again, if there is one. */
  next(now: number): Uint8Array<ArrayBuffer> | undefined {
    const sent = this.frames.at(this.#sent - this.acked);
    if (sent) {
      this.#sent++;
      sent.at = now;
      sent.inFlight = this.bytes; // the others follow
    }
    return sent?.frame;
  }

  /** Drops the frames up to number n, which the peer has received. The others are sent again. It reports whether n is valid. */
  rewind(n: number): boolean {
    this.#sent = 0;
    const valid = this.ack(n, 0);
    this.path = new Path(this.limit);
    return valid;
  }

  /** Drops the frames up to number n. It reports whether n is valid. */
  ack(n: number, now: number): boolean {
    if (n < this.acked || n - this.acked > this.frames.length) return false;
    const before = this.bytes;
    let at = 0;
    let inFlight = 0;
    for (; this.acked < n; this.acked++) {
      const sent = this.frames.shift()!;
      this.bytes -= sent.frame.length;
      at = sent.at;
      inFlight = Math.max(inFlight, sent.inFlight);
    }
    if (inFlight) this.path.ack(now, at, inFlight, before - this.bytes, this.bytes);
    this.#sent = Math.max(this.#sent, n);
    return true;
  }
}
