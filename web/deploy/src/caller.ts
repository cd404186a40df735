import { setTimeout as pause } from "node:timers/promises";
import { type Client, follow, ParleyError, retryAfter } from "@parley-rpc/client";
import type { Note, NoteService, Tally } from "../../gen/deploy/v1/deploy_pb.js";
import type { Book } from "./book.js";
import { Sequence } from "./sequence.js";
import { filling } from "./service.js";

/** The timeout of a call, in milliseconds. A call that hangs fails. */
const timeoutMs = 60_000;

/** Makes calls of all kinds and records their results. */
export class Caller {
  constructor(
    private notes: Client<typeof NoteService>,
    private book: Book,
    private nextID: () => bigint,
    private pace: number,
    private count: number,
    private stop: AbortSignal,
  ) {}

  /** Works until stop is aborted. The promise is fulfilled when the current calls are over. */
  async work(): Promise<void> {
    await Promise.all([
      this.#repeat("Echo", () => this.#unary("echo")),
      this.#steadily("Look", () => this.#unary("look")),
      this.#repeat("Upload", () => this.#upload()),
      this.#repeat("Download", () => this.#download()),
      this.#repeat("Exchange", () => this.#exchange()),
      this.#subscribe(),
    ]);
  }

  async #once(kind: string, call: () => Promise<object>): Promise<void> {
    const began = Date.now();
    try {
      this.book.done(kind, began, await call());
    } catch (e) {
      this.book.failed(kind, e);
    }
  }

  /** Makes one call after another. */
  async #repeat(kind: string, call: () => Promise<object>): Promise<void> {
    while (!this.stop.aborted) {
      await this.#once(kind, call);
      await pause(this.pace);
    }
  }

  /** Starts a call at each tick, even if earlier ones are not over. */
  async #steadily(kind: string, call: () => Promise<object>): Promise<void> {
    const calls = new Set<Promise<void>>();
    while (!this.stop.aborted) {
      const one = this.#once(kind, call).finally(() => calls.delete(one));
      calls.add(one);
      await pause(10 * this.pace);
    }
    await Promise.all(calls);
  }

  async #unary(method: "echo" | "look"): Promise<object> {
    const call = this.nextID();
    const res = await this.notes[method]({ call }, { timeoutMs });
    if (res.call !== call) throw new Error(`call ${call} got the answer of ${res.call}`);
    return {};
  }

  async *#requests(call: bigint): AsyncGenerator<{ call: bigint; number: bigint; filling: Uint8Array<ArrayBuffer> }> {
    for (let n = 0; n < this.count; n++) {
      yield { call, number: BigInt(n), filling: filling(n) };
      await pause(2 * this.pace);
    }
  }

  /** Returns what the peer has counted of the notes that were sent. */
  #told(tally: Tally | undefined): { lost: number; duplicated: number; reordered: number } {
    const { received = 0n, duplicated = 0n, reordered = 0n } = tally ?? {};
    return {
      lost: Math.max(this.count - Number(received), 0),
      duplicated: Number(duplicated),
      reordered: Number(reordered),
    };
  }

  async #upload(): Promise<object> {
    const { tally } = await this.notes.upload(this.#requests(this.nextID()), { timeoutMs });
    return this.#told(tally);
  }

  async #download(): Promise<object> {
    const request = { call: this.nextID(), count: BigInt(this.count), paceMs: 2 * this.pace };
    const got = new Sequence();
    for await (const { number } of this.notes.download(request, { timeoutMs })) got.take(Number(number));
    return got.close(this.count);
  }

  async #exchange(): Promise<object> {
    const got = new Sequence();
    let last: Note | undefined;
    for await (const answer of this.notes.exchange(this.#requests(this.nextID()), { timeoutMs })) {
      got.take(Number(answer.number));
      last = answer;
    }
    const came = got.close(this.count);
    const sent = this.#told(last?.tally);
    return {
      lost: came.lost + sent.lost,
      duplicated: came.duplicated + sent.duplicated,
      reordered: came.reordered + sent.reordered,
    };
  }

  /** Follows an endless stream across deploys. */
  async #subscribe(): Promise<void> {
    const got = new Sequence();
    let last = false;
    let before = { began: 0, lost: 0, duplicated: 0, reordered: 0 };
    // Records the end of a stream.
    const ended = (error?: ParleyError) => {
      const { began, lost, duplicated, reordered } = before;
      const counts = { lost: got.missing - lost, duplicated: got.duplicated - duplicated, reordered: got.reordered - reordered };
      if (this.stop.aborted || (last && retryAfter(error) !== undefined)) this.book.done("Subscribe", began, counts);
      else this.book.failed("Subscribe", error ?? "it has ended without a word");
    };
    const notes = follow({
      from: 0,
      open: (number, options) => {
        last = false;
        before = { began: Date.now(), lost: got.missing, duplicated: got.duplicated, reordered: got.reordered };
        return this.notes.subscribe({ call: this.nextID(), number: BigInt(number), paceMs: 2 * this.pace }, options);
      },
      cursor: ({ number }: Note) => Number(number) + 1,
      complete: "reopen",
      signal: this.stop,
      backoff: { initialMs: 10, maxMs: 100 },
      onWait: ended,
    });
    try {
      for await (const note of notes) {
        got.take(Number(note.number));
        last = note.last;
      }
      this.book.failed("Subscribe", "the loop has ended");
    } catch (e) {
      ended(ParleyError.from(e));
    }
  }
}
