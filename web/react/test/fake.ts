import type { DescMethod } from "@bufbuild/protobuf";
import type { CallOptions, Connection, State } from "@parley-rpc/client";

/** A call that is answered by the test. */
export class FakeCall {
  canceled = false;
  sent: unknown[] = [];
  #queue: unknown[] = [];
  #wake = () => {};

  constructor(
    readonly method: DescMethod,
    readonly options: CallOptions,
  ) {}

  async send(message: unknown): Promise<void> {
    if (this.canceled) throw new Error("canceled");
    this.sent.push(message);
  }

  end(): void {
    this.sent.push("end");
  }

  cancel(): void {
    this.canceled = true;
  }

  async next(): Promise<unknown> {
    while (!this.#queue.length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const what = this.#queue.shift();
    if (what instanceof Error) throw what;
    return what;
  }

  /** Has the server answer with messages, an Error, or undefined: the end. */
  answer(...what: unknown[]): void {
    this.#queue.push(...what);
    this.#wake();
  }
}

/** A connection on which nothing happens but what the test does. */
export class FakeConnection {
  calls: FakeCall[] = [];
  state: State = "idle";
  #listeners = new Set<() => void>();

  call(method: DescMethod, options: CallOptions): FakeCall {
    const call = new FakeCall(method, options);
    this.calls.push(call);
    return call;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  enter(state: State): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }

  /** The calls that are not canceled. */
  get open(): FakeCall[] {
    return this.calls.filter((c) => !c.canceled);
  }

  get real(): Connection {
    return this as unknown as Connection;
  }
}
