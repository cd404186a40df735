import type { Stream } from "./stream.js";

/** The most bytes that are kept. */
const MAX_SIZE = 256 << 10;

/** The messages that a call has sent, kept for a retry. They are dropped when no retry is possible or they are too large. */
export class RetryBuffer {
  #messages: { bytes: Uint8Array; last: boolean }[] | undefined = [];
  #size = 0;

  /** Reports whether all messages of the call are kept. */
  get complete(): boolean {
    return !!this.#messages;
  }

  add(bytes: Uint8Array, last: boolean): void {
    this.#messages?.push({ bytes, last });
    if ((this.#size += bytes.length) > MAX_SIZE) this.drop();
  }

  drop(): void {
    this.#messages = undefined;
  }

  /** Sends the messages on the stream of a retry, and ends the direction if the call has ended it. */
  replay(stream: Stream, ended: boolean): void {
    for (const { bytes, last } of this.#messages ?? []) void stream.send(bytes, last);
    if (ended && !this.#messages?.at(-1)?.last) stream.end();
  }
}
