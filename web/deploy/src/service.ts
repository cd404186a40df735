import { setTimeout as pause } from "node:timers/promises";
import { type Implementation, retryLater } from "@parley-rpc/client";
import type { NoteService } from "../../gen/deploy/v1/deploy_pb.js";
import type { Book } from "./book.js";
import { Sequence } from "./sequence.js";

/** Returns what the peer is told about the received notes. */
const tally = (got: Sequence) => ({
  received: BigInt(got.received),
  duplicated: BigInt(got.duplicated),
  reordered: BigInt(got.reordered),
});

/** The service that servers call at their clients. */
export function service(book: Book): Implementation<typeof NoteService> {
  return {
    echo({ call, number }) {
      book.served(call);
      return { call, number };
    },

    look({ call, number }) {
      return { call, number };
    },

    async upload(requests) {
      const got = new Sequence();
      for await (const { call, number } of requests) {
        if (!got.received) book.served(call);
        got.take(Number(number));
      }
      return { tally: tally(got) };
    },

    async *download({ call, count, paceMs }) {
      book.served(call);
      for (let number = 0n; number < count; number++) {
        yield { call, number, filling: filling(Number(number)) };
        await pause(paceMs);
      }
    },

    async *exchange(requests) {
      const got = new Sequence();
      let answers = 0n;
      for await (const { call, number } of requests) {
        if (!answers) book.served(call);
        got.take(Number(number));
        yield { call, number: answers++, tally: tally(got) };
      }
    },

    async *subscribe({ call, number, paceMs }, { draining }) {
      book.served(call);
      while (!draining.aborted) {
        yield { call, number: number++ };
        await pause(paceMs, undefined, { signal: draining }).catch(() => {});
      }
      yield { call, number, last: true };
      throw retryLater();
    },
  };
}

/** Returns a payload, which is large for a few notes. */
export const filling = (number: number): Uint8Array<ArrayBuffer> => new Uint8Array(number % 8 === 7 ? 20 << 10 : 0);
