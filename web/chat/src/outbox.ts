import type { MessageInitShape } from "@bufbuild/protobuf";
import type { JoinRequestSchema } from "../../gen/parley/chat/v1/chat_pb.js";

type Request = MessageInitShape<typeof JoinRequestSchema>;

/** What is to be sent, in order, until it is ended. */
export class Outbox implements AsyncIterable<Request> {
  #wake = () => {};
  #ended = false;

  constructor(private waiting: Request[]) {}

  put(request: Request): void {
    this.waiting.push(request);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Request> {
    for (;;) {
      const next = this.waiting.shift();
      if (next) yield next;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
