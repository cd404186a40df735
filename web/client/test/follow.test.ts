// rpc/follow_test.go has the same claims for Go.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Code, type FollowOptions, follow, ParleyError, retryLater } from "../src/index.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const unavailable = () => new ParleyError("gone", Code.Unavailable);

/** What a call does: messages, and how it ends: an error, or "OK"; without an end it goes on for good. */
type Script = (number | Error | "OK")[];

/** A stream of numbers that a test writes, call by call. */
class Source {
  /** From where on calls were made, and when. */
  calls: [from: number, at: number][] = [];
  signals: AbortSignal[] = [];
  returned = 0;
  #begin = Date.now();

  constructor(private scripts: Script[]) {}

  follow(more: Partial<FollowOptions<number, number>> = {}) {
    return follow<number, number>({
      from: 0,
      open: (from, { signal }) => {
        this.calls.push([from, Date.now() - this.#begin]);
        this.signals.push(signal);
        return this.#answers(this.scripts.shift() ?? []);
      },
      cursor: (n) => n,
      jitter: (bound) => bound,
      ...more,
    });
  }

  #answers(script: Script): AsyncIterable<number> {
    const rest = [...script];
    const next = async (): Promise<IteratorResult<number>> => {
      const what = rest.shift();
      if (what === undefined) return new Promise(() => {});
      if (what === "OK") return { done: true, value: undefined };
      if (typeof what === "number") return { done: false, value: what };
      throw what;
    };
    const end = async () => {
      this.returned++;
      return { done: true as const, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }
}

/** Reads a loop to its end. */
function read(messages: AsyncIterable<number>) {
  const got: { messages: number[]; end?: string } = { messages: [] };
  void (async () => {
    try {
      for await (const n of messages) got.messages.push(n);
      got.end = "OK";
    } catch (e) {
      got.end = (e as Error).message;
    }
  })();
  return got;
}

test("a broken stream is opened again after its last message", async () => {
  const source = new Source([[1, 2, unavailable()], [3, unavailable()], [4, "OK"]]); // biome-ignore format: one line
  const got = read(source.follow());
  await pass(1000);
  expect(got).toEqual({ messages: [1, 2, 3, 4], end: "OK" });
  expect(source.calls).toEqual([[0, 0], [2, 100], [3, 200]]); // biome-ignore format: one line
  expect(source.signals[2]?.aborted).toBe(true);
});

test("waits double up to a bound, and a message starts them again", async () => {
  const source = new Source([...Array.from({ length: 9 }, () => [unavailable()]), [1, unavailable()], [unavailable()], ["OK"]]);
  const waits: number[] = [];
  const got = read(source.follow({ onWait: (_, ms) => waits.push(ms) }));
  await pass(60_000);
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100, 200]);
  expect(got).toEqual({ messages: [1], end: "OK" });
});

test("the bounds of the wait can be set, and are checked", async () => {
  const source = new Source([[unavailable()], [unavailable()], [unavailable()], ["OK"]]);
  const waits: number[] = [];
  const got = read(source.follow({ backoff: { initialMs: 10, maxMs: 25 }, onWait: (_, ms) => waits.push(ms) }));
  await pass(100);
  expect(waits).toEqual([10, 20, 25]);
  expect(got.end).toBe("OK");
  for (const backoff of [
    { initialMs: 0, maxMs: 1 },
    { initialMs: 2, maxMs: 1 },
    { initialMs: Number.NaN, maxMs: 1 },
  ]) {
    expect(() => source.follow({ backoff })).toThrow("invalid_argument: follow: backoff");
  }
});

test("the random wait is anything up to the bound", async () => {
  const drawn: number[] = [];
  const source = new Source([[unavailable()], ["OK"]]);
  const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
  const { jitter: _, ...rest } = { jitter: 0, onWait: (__: unknown, ms: number) => drawn.push(ms) };
  const got = read(source.follow({ jitter: undefined, ...rest }));
  await pass(100);
  random.mockRestore();
  expect(drawn).toEqual([50]);
  expect(got.end).toBe("OK");
});

test("the delay that the peer asks for is added to the wait", async () => {
  const source = new Source([[1, retryLater(5000)], [retryLater(0)], ["OK"]]);
  const got = read(source.follow());
  await pass(10_000);
  expect(source.calls).toEqual([[0, 0], [1, 5100], [1, 5300]]); // biome-ignore format: one line
  expect(got.end).toBe("OK");
});

test("a delay beyond the longest timer is the longest", async () => {
  const source = new Source([[retryLater(Number.POSITIVE_INFINITY)]]);
  const controller = new AbortController();
  const got = read(source.follow({ signal: controller.signal }));
  await pass(100_000_000);
  expect(source.calls.length).toBe(1);
  controller.abort();
  await pass(0);
  expect(got.end).toMatch(/^canceled/);
});

test.each([
  ["a code that does not pass", new ParleyError("no", Code.NotFound), {}, 1, "not_found: no"],
  ["a code that is named", new ParleyError("no", Code.Aborted), { codes: [Code.Aborted] }, 2, "OK"],
  ["UNAVAILABLE, though others are named", unavailable(), { codes: [Code.Aborted] }, 2, "OK"],
  [
    "RetryInfo with a code that does not pass",
    Object.assign(new ParleyError("full", Code.ResourceExhausted), { details: retryLater(1).details }),
    {},
    1,
    "resource_exhausted: full",
  ],
  ["what is no ParleyError", new Error("bug"), {}, 1, "unknown: bug"],
])("a call that ends with %s", async (_, error, more, calls, end) => {
  // biome-ignore format: one line
  const source = new Source([[1, error], ["OK"]]);
  const got = read(source.follow(more));
  await pass(1000);
  expect(source.calls.length).toBe(calls);
  expect(got).toEqual({ messages: [1], end });
});

test("an error of open counts as a failed call", async () => {
  const errors = [unavailable(), new ParleyError("no", Code.PermissionDenied)];
  const got = read(
    follow<number, number>({
      from: 0,
      open: () => {
        throw errors.shift();
      },
      cursor: (n) => n,
    }),
  );
  await pass(100);
  expect(got.end).toBe("permission_denied: no");
});

test("a cursor that throws ends the loop, and the call", async () => {
  const source = new Source([[1]]);
  const cursor = () => {
    throw unavailable();
  };
  const got = read(source.follow({ cursor }));
  await pass(1000);
  expect(got.end).toBe("unavailable: gone");
  expect(source.calls.length).toBe(1);
  expect(source.signals[0]?.aborted).toBe(true);
  expect(source.returned).toBe(1);
});

test("a complete stream is opened again on request", async () => {
  const source = new Source([[1, "OK"], ["OK"], ["OK"], [2, "OK"], [new ParleyError("x", Code.NotFound)]]);
  const waits: unknown[] = [];
  const got = read(source.follow({ complete: "reopen", onWait: (...wait) => waits.push(wait) }));
  await pass(1000);
  expect(waits).toEqual([[undefined, 100], [undefined, 200], [undefined, 400], [undefined, 100]]); // biome-ignore format: one line
  expect(got).toEqual({ messages: [1, 2], end: "not_found: x" });
  expect(source.calls.map(([from]) => from)).toEqual([0, 1, 1, 1, 2]);
});

test("a signal ends a call and the wait between calls", async () => {
  for (const script of [[[1]], [[unavailable()]]]) {
    const source = new Source(script);
    const controller = new AbortController();
    const got = read(source.follow({ signal: controller.signal }));
    await pass(50);
    controller.abort(new Error("enough"));
    await pass(0);
    expect(got.end).toBe("canceled: enough");
    expect(source.signals[0]?.aborted).toBe(true);
    await pass(100_000);
    expect(source.calls.length).toBe(1);
  }
  const never = new Source([]);
  const got = read(never.follow({ signal: AbortSignal.abort() }));
  await pass(0);
  expect(got.end).toMatch(/^canceled/);
  expect(never.calls).toEqual([]);
});

test("leaving the loop cancels the call, also while it waits", async () => {
  const source = new Source([[1, 2, 3]]);
  for await (const n of source.follow()) if (n === 2) break;
  expect(source.signals[0]?.aborted).toBe(true);
  expect(source.returned).toBe(1);

  const waiting = new Source([[]]);
  const messages = waiting.follow()[Symbol.asyncIterator]();
  const next = messages.next();
  await messages.return?.();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(waiting.signals[0]?.aborted).toBe(true);
  expect(waiting.returned).toBe(1);

  const pausing = new Source([[unavailable()]]);
  const later = pausing.follow()[Symbol.asyncIterator]();
  const after = later.next();
  await pass(10);
  await later.return?.();
  expect(await after).toEqual({ done: true, value: undefined });
  await pass(100_000);
  expect(pausing.calls.length).toBe(1);
});

test("another loop begins at the start", async () => {
  const source = new Source([[1, "OK"], [1, 2, "OK"]]); // biome-ignore format: one line
  const messages = source.follow();
  const one = read(messages);
  await pass(0);
  const two = read(messages);
  await pass(0);
  expect([one.messages, two.messages]).toEqual([[1], [1, 2]]);
  expect(source.calls.map(([from]) => from)).toEqual([0, 0]);
});
