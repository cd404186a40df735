import { DATA, END, FLAG_END, FLAG_MARK, FLAG_MORE, HEADER } from "./frametype.js";
import type { Message } from "./stream.js";
import { concat } from "./varint.js";
import { SendWindow } from "./window.js";

/** The accepting end of a stream that a FetchLink serves. It takes all requests at once, and sends as the window allows. */
export class PeerStream {
  /** Aborted when the opener has reset the stream. */
  readonly abort = new AbortController();
  /** The requests. Fulfilled when the opener has ended its direction. */
  readonly requests: Promise<Message[]>;
  #resolve!: (requests: Message[]) => void;
  #messages: Message[] = [];
  #pieces: Uint8Array[] = [];
  #window = new SendWindow();
  /** Continues what waits for the window. */
  #wake = () => {};

  /** Sends a frame of this stream. */
  readonly #emit: (head: number, payload: Uint8Array) => void;
  /** The largest payload of a frame that the opener accepts. */
  readonly #maxFrame: number;

  constructor(emit: (head: number, payload: Uint8Array) => void, initialWindow: number, maxFrame: number) {
    this.#emit = emit;
    this.#maxFrame = maxFrame;
    this.#window.raise(initialWindow);
    this.requests = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.abort.signal.addEventListener("abort", () => this.#wake());
  }

  /** Handles a DATA frame. */
  handleData(flags: number, payload: Uint8Array): void {
    this.#pieces.push(payload);
    if (!(flags & FLAG_MORE)) {
      this.#messages.push({ bytes: concat(this.#pieces), mark: (flags & FLAG_MARK) !== 0 });
      this.#pieces = [];
    }
    if (flags & FLAG_END) this.handleEnd();
  }

  /** Handles the end of the opener's direction. */
  handleEnd(): void {
    this.#resolve(this.#messages);
  }

  raiseLimit(limit: number): void {
    this.#window.raise(limit);
    this.#wake();
  }

  sendHeader(block: Uint8Array): void {
    this.#emit(HEADER, block);
  }

  /** Sends a piece of a message; more: another piece follows. It waits for the window, and fails if the stream was reset. */
  async send(piece: Uint8Array, more: boolean, mark: boolean): Promise<void> {
    const { signal } = this.abort;
    for (let at = 0; ; ) {
      signal.throwIfAborted();
      const size = this.#window.spend(piece.length - at, this.#maxFrame);
      if (size < 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const part = piece.subarray(at, (at += size));
      const isLast = at === piece.length;
      const head = DATA | (mark ? FLAG_MARK : 0) | (more || !isLast ? FLAG_MORE : 0);
      this.#emit(head, part);
      if (isLast) return;
    }
  }

  end(block: Uint8Array): void {
    this.#emit(END, block);
  }
}
