import type { Stream } from "./stream.js";

/** The most that is kept, in bytes. */
const MAX_SIZE = 256 << 10;

/** The messages that a call has sent, for another attempt. It is dropped when there can be none, or when it is too large. */
export class RetryBuffer {
  #messages: { bytes: Uint8Array; last: boolean }[] | undefined = [];
  #size = 0;

  /** Reports whether it has all messages of the call. */
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

  /** Sends the messages on the stream of another attempt, and the end if the call has ended its direction. */
  replay(stream: Stream, ended: boolean): void {
    for (const { bytes, last } of this.#messages ?? []) void stream.send(bytes, last);
    if (ended && !this.#messages?.at(-1)?.last) stream.end();
  }
}
