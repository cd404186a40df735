// The end of a call that serves it, byte by byte: rpc/*_test.go has the same claims for Go.
import { create, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CountUpResponseSchema, PingFailureSchema, PingRequestSchema, type PingResponseSchema, PingService, SumRequestSchema } from "../../gen/parley/ping/v1/ping_pb.js"; // biome-ignore format: one line
import { parseEnd, parseHeader } from "../src/callwire.js";
import type { Connection } from "../src/connection.js";
import type { SessionEvents } from "../src/events.js";
import { encodeFields, type Field } from "../src/fields.js";
import * as f from "../src/frame.js";
import { protocolDefaults } from "../src/hello.js";
import {
  Code,
  type Handler,
  type Implementation,
  type Interceptor,
  json,
  ParleyError,
  retryLater,
  type ServeContext,
} from "../src/index.js";
import { pairsToHeaders } from "../src/metadata.js";
import { Services } from "../src/service.js";
import { Session } from "../src/session.js";
import { concat, fromUTF8, putBytes, Reader, utf8 } from "../src/varint.js";
import { settle, Wire } from "./harness.js";

type Ping = Implementation<typeof PingService>;

const limits = { ...protocolDefaults(), maxStreams: 16, initialWindow: 65_536 };
const path = (method: string) => utf8(`parley.ping.v1.PingService/${method}`);

/** A session with a peer that is the test, and calls what is served. */
class Caller {
  wire = new Wire();
  session: Session;
  reported: unknown[] = [];
  #services: Services;
  #next = 2;

  constructor(ping: Ping, handlerInterceptors: Interceptor[] = [], codec = json, peer: Field[] = []) {
    const conn = { codec, settings: limits } as unknown as Connection;
    this.#services = new Services(conn, { handlerInterceptors, onServeError: (e) => this.reported.push(e) });
    this.#services.add(PingService, ping);
    const nothing = () => {};
    this.session = new Session(limits, {
      ready: nothing,
      detached: nothing,
      goaway: nothing,
      ended: nothing,
      mayReconnect: () => false,
      stream: (stream: never, header: Uint8Array) => this.#services.accept(stream, header),
    } as unknown as SessionEvents);
    this.session.attach(this.wire);
    this.receive(f.encodeFrame(f.HELLO, 0, encodeFields([[10, 65_536], ...peer])));
  }

  receive(...frames: Uint8Array[]): void {
    this.session.receive(concat(frames).buffer);
  }

  /** Opens a call, and sends what is given. */
  open(method: string | Field[], ...more: ((id: number) => Uint8Array)[]): number {
    const id = this.#next;
    this.#next += 2;
    const fields = typeof method === "string" ? [[1, path(method)] as Field] : method;
    this.receive(f.encodeFrame(f.OPEN, id, encodeFields(fields)), ...more.map((m) => m(id)));
    return id;
  }

  reset(id: number, code = 1): void {
    this.receive(f.encodeFrame(f.RESET, id, Uint8Array.of(code)));
  }

  /** Returns what was sent on a stream, in words. */
  sent(id: number): string[] {
    const own = this.wire.frames.filter((frame) => frame.id === id && frame.name !== "WINDOW");
    return own.map(({ name, head, payload }) => {
      const end = head & f.FLAG_END ? " end" : "";
      if (name === "HEADER") return `HEADER ${words(pairsToHeaders(parseHeader(payload).pairs))}`;
      if (name === "END") {
        const { status, message, pairs, details } = parseEnd(payload);
        const rest = [message, words(pairsToHeaders(pairs)), details.length ? `details ${details.length}` : ""];
        return ["END", status, ...rest].filter((x) => x !== "").join(" ");
      }
      if (name === "RESET") return `RESET ${new Reader(payload).varint()}`;
      return `${name}${end}`;
    });
  }

  /** Returns how a call has ended. */
  status(id: number): ReturnType<typeof parseEnd> {
    const end = this.wire.frames.find((frame) => frame.id === id && frame.name === "END");
    if (!end) throw new Error(`the call has no END: ${this.sent(id)}`);
    return parseEnd(end.payload);
  }

  close(): void {
    this.session.close(1000, new ParleyError("the test is over", Code.Canceled));
  }
}

const words = (headers: Headers) => [...headers].map(([k, v]) => `${k}=${v}`).join(",");
const data =
  (bytes: Uint8Array, flags = 0) =>
  (id: number) =>
    f.encodeFrame(f.DATA | flags, id, bytes);
const last = (bytes: Uint8Array) => data(bytes, f.FLAG_END);
const ended = (id: number) => f.encodeFrame(f.END, id, new Uint8Array());
const hi = toBinary(PingRequestSchema, create(PingRequestSchema, { text: "hi" }));
const three = toBinary(SumRequestSchema, create(SumRequestSchema, { number: 3n }));
const metadata = (key: string, value: string): Field => {
  const out: number[] = [];
  putBytes(out, utf8(key));
  return [9, concat([out, utf8(value)])];
};

/** Returns a value, behind something that was done. */
const after = <T>(_: unknown, value: T): T => value;
/** An answer of so many bytes. */
const large = (size: number) => {
  const message = create(CountUpResponseSchema);
  message.$unknown = [{ no: 9, wireType: 2, data: new Uint8Array(size) }];
  return message;
};

let caller: Caller | undefined;
const serve = (...args: ConstructorParameters<typeof Caller>) => (caller = new Caller(...args));

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  caller?.close();
  caller = undefined;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Each kind, with a body of its own, and how a good call of it begins. */
const kinds: [name: string, serve: (body: (c: ServeContext) => unknown) => Ping, open: (c: Caller) => number][] = [
  [
    "unary",
    (body) => ({ ping: async (_, c) => (await body(c)) as MessageInitShape<typeof PingResponseSchema> }),
    (c) => c.open("Ping", last(hi)),
  ],
  [
    "server streaming",
    (body) => ({
      // biome-ignore lint/correctness/useYield: a stream without messages
      async *countUp(_, c) {
        await body(c);
      },
    }),
    (c) => c.open("CountUp", last(new Uint8Array())),
  ],
  ["client streaming", (body) => ({ sum: async (_, c) => (await body(c)) as object }), (c) => c.open("Sum", last(three))],
  [
    "bidirectional",
    (body) => ({
      // biome-ignore lint/correctness/useYield: a stream without messages
      async *cumSum(_, c) {
        await body(c);
      },
    }),
    (c) => c.open("CumSum", last(three)),
  ],
];

describe.each(kinds)("%s", (name, impl, open) => {
  const label = (c: ServeContext) => {
    c.responseHeaders.set("tag", "a");
    c.responseHeaders.set("hash-bin", "AAH/");
    c.responseTrailers.set("tail", "b");
  };

  test("a call without messages has a header and a trailer", async () => {
    const c = serve(impl((context) => after(label(context), {})));
    const id = open(c);
    await settle();
    expect(c.sent(id).filter((s) => !s.startsWith("DATA"))).toEqual(["HEADER hash-bin=AAH/,tag=a", "END 0 tail=b"]);
  });

  test("a failed call has a header and a trailer", async () => {
    const c = serve(
      impl((context) => {
        label(context);
        throw new ParleyError("no", Code.Aborted).withDetail(PingFailureSchema, { hint: "x" });
      }),
    );
    const id = open(c);
    await settle();
    expect(c.sent(id)).toEqual(["HEADER hash-bin=AAH/,tag=a", "END 10 no tail=b details 1"]);
    expect(c.reported).toEqual([]);
  });

  test("headers can be sent early, once", async () => {
    let goOn = () => {};
    const c = serve(
      impl(async (context) => {
        context.responseHeaders.set("early", "yes");
        context.sendHeaders();
        context.sendHeaders();
        context.responseHeaders.set("late", "yes");
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        return {};
      }),
    );
    const id = open(c);
    await settle();
    expect(c.sent(id)).toEqual(["HEADER early=yes"]);
    goOn();
    await settle();
    expect(c.sent(id).filter((s) => s.startsWith("HEADER")).length).toBe(1);
    expect(c.status.bind(c, id)).toBeDefined();
  });

  test.each([
    ["a name that is reserved", "parley-x", "1", Code.Internal, /reserved/],
    ["a value that is no text", "tag", "\u00e9", Code.Internal, /printable ASCII/],
    ["a value that is no base64", "tag-bin", "*", Code.Internal, /base64/],
    ["more than the caller takes", "big", "x".repeat(5000), Code.ResourceExhausted, /header of \d+ bytes.*4096/],
  ])("a header with %s is the status, and the application is told", async (_, key, value, code, text) => {
    const c = serve(impl((context) => after(context.responseHeaders.set(key, value), {})));
    const id = open(c);
    await settle();
    expect(c.sent(id).length).toBe(1);
    expect(c.status(id)).toMatchObject({ status: code, message: expect.stringMatching(text) });
    expect(c.reported.length).toBe(1);
  });

  test("a failed call is sent without invalid headers", async () => {
    const c = serve(
      impl((context) => {
        context.responseHeaders.set("big", "x".repeat(5000));
        context.responseTrailers.set("parley-x", "1");
        throw new ParleyError("no", Code.NotFound);
      }),
    );
    const id = open(c);
    await settle();
    expect(c.sent(id)).toEqual(["END 5 no"]);
  });

  test("an invalid trailer is the status", async () => {
    const c = serve(impl((context) => after(context.responseTrailers.set("parley-x", "1"), {})));
    const id = open(c);
    await settle();
    expect(c.sent(id)).toEqual([expect.stringMatching(/^END 13 headers: the name parley-x is reserved/)]);
  });

  test("a trailer over the caller's limit is left out", async () => {
    const c = serve(impl((context) => after(context.responseTrailers.set("big", "x".repeat(5000)), {})));
    const id = open(c);
    await settle();
    expect(c.sent(id).at(-1)).toMatch(/^(DATA end|END 0)$/);
  });

  test.each([
    ["a text", "swordfish"],
    ["nothing", undefined],
    ["null", null],
    ["a symbol", Symbol("swordfish")],
    ["an object without a prototype", Object.create(null)],
    ["an Error", new Error("swordfish")],
    ["an error that throws when it is looked at", new Proxy(new Error("swordfish"), { getPrototypeOf: () => { throw new Error("no"); } })], // biome-ignore format: one line
  ])("what throws %s is INTERNAL without its text, and the application is told", async (_, thrown) => {
    const c = serve(
      impl(() => {
        throw thrown;
      }),
    );
    const id = open(c);
    await settle();
    const { status, message } = c.status(id);
    expect(status).toBe(Code.Internal);
    expect(message).toMatch(/ failed$/);
    expect(c.reported.length === 1 && c.reported[0] === thrown).toBe(true);
  });

  test("onServeError that throws harms nothing", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    const c = serve(
      impl(() => {
        throw new Error("one");
      }),
    );
    c.reported.push = () => {
      throw new Error("two");
    };
    const id = open(c);
    await settle();
    expect(c.status(id).status).toBe(Code.Internal);
    expect(errors).toHaveBeenCalledWith(new Error("two"));
    errors.mockRestore();
  });

  test("an Error with a ParleyError as its cause has that code", async () => {
    const inner = new ParleyError("no row 7", Code.NotFound).withDetail(PingFailureSchema, { hint: "x" });
    const wrap = (cause: unknown) => new Error("asking the shard eu-3", { cause });
    for (const [thrown, text, code, details] of [
      [wrap(inner), "asking the shard eu-3", Code.NotFound, 1],
      [wrap(new Error("while asking", { cause: inner })), "asking the shard eu-3", Code.NotFound, 1],
      [wrap(new AggregateError([new Error("x"), inner])), "asking the shard eu-3", Code.NotFound, 1],
      [new Error("", { cause: inner }), "no row 7", Code.NotFound, 1],
      [
        new Error(`asking the shard eu-3: ${inner.message}`, { cause: inner }),
        "asking the shard eu-3: no row 7",
        Code.NotFound,
        1,
      ],
      [new ParleyError("load", Code.Aborted, { cause: inner }), "load", Code.Aborted, 0],
    ] as const) {
      const c = serve(
        impl(() => {
          throw thrown;
        }),
      );
      const id = open(c);
      await settle();
      expect(c.status(id)).toMatchObject({ status: code, message: text });
      expect(c.status(id).details.length).toBe(details);
      expect(c.reported).toEqual([]);
      c.close();
    }
    const circle = wrap(undefined);
    circle.cause = circle;
    const c = serve(
      impl(() => {
        throw circle;
      }),
    );
    const id = open(c);
    await settle();
    expect(c.status(id)).toMatchObject({ status: Code.Internal, message: expect.not.stringContaining("shard") });
  });

  test("the deadline ends the call, and tells the application", async () => {
    const seen: unknown[] = [];
    const c = serve(
      impl(async ({ signal, timeoutMs }) => {
        void timeoutMs;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        seen.push((signal.reason as ParleyError).code);
        throw signal.reason;
      }),
    );
    const id = c.open([[1, path({ unary: "Ping", "server streaming": "CountUp", "client streaming": "Sum" }[name] ?? "CumSum").slice()], [4, 2_000_000]], last(name === "server streaming" ? new Uint8Array() : name === "unary" ? hi : three)); // biome-ignore format: one line
    await vi.advanceTimersByTimeAsync(1999);
    expect(c.sent(id)).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(c.sent(id)).toEqual(["END 4 the deadline of the call has passed"]);
    expect(seen).toEqual([Code.DeadlineExceeded]);
    expect(c.reported).toEqual([]);
  });

  test("the application learns that a caller has left", async () => {
    let left = 0;
    const c = serve(
      impl(async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        left++;
        throw signal.reason;
      }),
    );
    for (let i = 0; i < 100; i++) {
      const id = open(c);
      await settle();
      c.reset(id);
      await settle();
      expect(c.sent(id)).toEqual([]);
    }
    expect(left).toBe(100);
    expect(c.session.busy).toBe(false);
  });

  test("the signal is aborted when the call has ended well, too", async () => {
    let context: ServeContext | undefined;
    const c = serve(impl((given) => after((context = given), {})));
    open(c);
    await settle();
    expect(context?.signal.aborted).toBe(true);
  });

  test("interceptors nest in order and may change the status", async () => {
    const events: string[] = [];
    const recording =
      (who: string): Interceptor =>
      (next) =>
      async (stream) => {
        events.push(`${who} before ${stream.method.name} ${stream.requestHeaders.get("a")}`);
        const { send, receive } = stream;
        let [sent, received] = [0, 0];
        const counted = Object.create(stream, {
          send: { value: (m: Message) => after(sent++, send.call(stream, m)) },
          receive: { value: async () => { const m = await receive.call(stream); if (m) received++; return m; } }, // biome-ignore format: one line
        });
        try {
          await next(counted);
        } finally {
          events.push(`${who} behind ${sent} ${received}`);
        }
      };
    const mapping: Interceptor = (next) => async (stream) => {
      stream.values.set("who", "Ada");
      stream.responseHeaders.set("by", "interceptor");
      await next(stream);
      throw new ParleyError("changed", Code.Aborted);
    };
    let who: unknown;
    const c = serve(
      impl((context) => after((who = context.values.get("who")), {})),
      [mapping, recording("1"), recording("2")],
    );
    const id = open(c);
    await settle();
    const method = { unary: "Ping", "server streaming": "CountUp", "client streaming": "Sum" }[name] ?? "CumSum";
    const sent = name === "unary" || name === "client streaming" ? 1 : 0;
    const received = name === "unary" || name === "server streaming" ? 1 : 0; // the others do not ask
    const seen = `behind ${sent} ${received}`;
    expect(events).toEqual([`1 before ${method} null`, `2 before ${method} null`, `2 ${seen}`, `1 ${seen}`]);
    expect(c.sent(id)).toEqual(["HEADER by=interceptor", "END 10 changed"]);
    expect(who).toBe("Ada");
  });

  test("an interceptor may refuse a call", async () => {
    for (const [thrown, code] of [
      [new ParleyError("who?", Code.Unauthenticated), Code.Unauthenticated],
      [new Error("no"), Code.Internal],
    ] as const) {
      const refusing: Interceptor = () => () => Promise.reject(thrown);
      const c = serve(
        impl(() => expect.fail("the method runs")),
        [refusing],
      );
      const id = open(c);
      await settle();
      expect(c.status(id).status).toBe(code);
      c.close();
    }
  });

  test("an interceptor without a response makes a call INTERNAL", async () => {
    const silent: Interceptor = () => (async () => {}) as Handler;
    const c = serve(
      impl(() => expect.fail("the method runs")),
      [silent],
    );
    const id = open(c);
    await settle();
    const needed = name === "unary" || name === "client streaming";
    expect(c.status(id)).toMatchObject(needed ? { status: 13, message: expect.stringMatching(/no response/) } : { status: 0 });
  });
});

test("an endless stream learns of the drain and ends with retryLater", async () => {
  const c = serve({
    async *countUp(_, { draining, signal }) {
      yield { number: 1n };
      if (!draining.aborted) await new Promise((resolve) => draining.addEventListener("abort", resolve));
      expect(signal.aborted).toBe(false);
      throw retryLater();
    },
  });
  const early = c.open("CountUp", last(new Uint8Array()));
  await settle();
  expect(c.sent(early)).toEqual(["DATA"]);
  c.receive(f.encodeFrame(f.GOAWAY, 0, encodeFields([[2, Number.MAX_SAFE_INTEGER]])));
  const late = c.open("CountUp", last(new Uint8Array()));
  await settle();
  const end = expect.stringMatching(/^END 14 .* details 1$/);
  expect([c.sent(early), c.sent(late)]).toEqual([
    ["DATA", end],
    ["DATA", end],
  ]);
});

test("a method that returns no answer is INTERNAL", async () => {
  const c = serve({ ping: () => undefined as never });
  const id = c.open("Ping", last(hi));
  await settle();
  expect(c.status(id)).toMatchObject({ status: Code.Internal, message: "Ping returned no response" });
});

test("a stream that returns no iterable is INTERNAL", async () => {
  const c = serve({ countUp: () => undefined as never });
  const id = c.open("CountUp", last(new Uint8Array()));
  await settle();
  expect(c.status(id).status).toBe(Code.Internal);
  expect(c.reported.length).toBe(1);
});

test("a response and its status are sent together", async () => {
  const c = serve({ ping: ({ text }, { responseTrailers }) => after(text && responseTrailers.set("a", "b"), { text }) });
  const id = c.open("Ping", last(new Uint8Array()));
  const two = c.open("Ping", last(hi));
  await settle();
  expect(c.sent(id)).toEqual(["DATA end"]);
  expect(c.sent(two)).toEqual(["DATA", "END 0 a=b"]);
});

test("an answer over the caller's limit fails its call alone", async () => {
  const c = serve({
    ping: () => ({ text: "x".repeat(70_000) }),
    async *countUp() {
      yield large(70_000);
    },
  });
  for (const id of [c.open("Ping", last(hi)), c.open("CountUp", last(new Uint8Array()))]) {
    await settle();
    expect(c.status(id)).toMatchObject({ status: Code.ResourceExhausted, message: expect.stringMatching(/limit of 65536/) });
  }
});

test("a waiting iterator is returned at once when the caller leaves", async () => {
  let returned = 0;
  const waiting = () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return: async () => after(returned++, { done: true as const, value: undefined }),
    }),
  });
  const c = serve({ countUp: waiting, cumSum: waiting });
  for (let i = 1; i <= 100; i++) {
    const id = i % 2 ? c.open("CountUp", last(new Uint8Array())) : c.open("CumSum");
    await settle();
    c.reset(id);
    expect(returned).toBe(i);
    await settle();
  }
});

test("a generator that never yields does not block other calls", async () => {
  let ends = 0;
  const c = serve({
    async *countUp() {
      try {
        yield { number: 1n };
        await new Promise(() => {});
      } finally {
        ends++;
      }
    },
    ping: () => ({ text: "here" }),
  });
  for (let i = 0; i < 100; i++) {
    const id = c.open("CountUp", last(new Uint8Array()));
    await settle();
    c.reset(id);
    await settle();
  }
  expect(ends).toBe(0); // JavaScript cannot end it: it has the signal for that
  const id = c.open("Ping", last(hi));
  await settle();
  expect(c.sent(id)).toEqual(["DATA end"]);
});

test("an iterator that has ended, or thrown, is not returned", async () => {
  let returned = 0;
  const one = (next: () => Promise<IteratorResult<never>>) => () => ({
    [Symbol.asyncIterator]: () => ({ next, return: async () => after(returned++, { done: true as const, value: undefined }) }),
  });
  const c = serve({
    countUp: one(async () => ({ done: true, value: undefined })),
    cumSum: one(() => Promise.reject(new ParleyError("no", Code.Aborted))),
  });
  const ids = [c.open("CountUp", last(new Uint8Array())), c.open("CumSum", ended)];
  await settle();
  expect(ids.map((id) => c.status(id).status)).toEqual([0, Code.Aborted]);
  expect(returned).toBe(0);
});

test("methods that outlive their calls are bounded", async () => {
  const go: (() => void)[] = [];
  const c = serve({ ping: () => new Promise((resolve) => go.push(() => resolve({}))) });
  for (let i = 0; i < 2 * limits.maxStreams; i++) {
    const id = c.open("Ping", last(hi));
    await settle();
    c.reset(id);
  }
  const refused = c.open("Ping", last(hi));
  await settle();
  expect(c.sent(refused)).toEqual(["RESET 2"]);
  go[0]?.();
  await settle();
  const served = c.open("Ping", last(hi));
  await settle();
  expect(go.length).toBe(2 * limits.maxStreams + 1);
  go.at(-1)?.();
  await settle();
  expect(c.sent(served)).toEqual(["DATA end"]);
});

test("requests that are waited for end with their call", async () => {
  const ends: unknown[] = [];
  const c = serve({
    async sum(requests, { signal }) {
      try {
        for await (const _ of requests);
      } catch (e) {
        ends.push(e, signal.aborted);
        throw e;
      }
      return {};
    },
    cumSum(requests) {
      const waits = requests[Symbol.asyncIterator]().next();
      waits.catch((e) => ends.push(e));
      return (async function* () {})();
    },
  });
  const id = c.open("Sum", data(three));
  await settle();
  c.reset(id);
  await settle();
  expect(ends).toEqual([expect.objectContaining({ code: Code.Canceled }), true]);
  ends.length = 0;
  const two = c.open("CumSum"); // a handler that ends while somebody still waits
  await settle();
  expect(c.status(two).status).toBe(0);
  expect(ends.length).toBe(1);
});

test("a handler that responds too late gets an error", async () => {
  let told: unknown;
  let resume = () => {};
  const c = serve({
    async *countUp(_, context) {
      await new Promise<void>((resolve) => {
        resume = resolve;
      });
      const { send } = context as unknown as { send(m: object): Promise<void> };
      told = await send.call(context, {}).catch((e: unknown) => e);
    },
  });
  const id = c.open("CountUp", last(new Uint8Array()));
  await settle();
  c.reset(id);
  resume();
  await settle();
  expect(told).toMatchObject({ code: Code.Canceled });
});

test("timeoutMs returns what is left of the deadline", async () => {
  let context: ServeContext | undefined;
  const c = serve({ ping: (_, given) => after((context = given), new Promise<never>(() => {})) });
  c.open([[1, path("Ping")], [4, 3_000_000]], last(hi)); // biome-ignore format: one line
  await vi.advanceTimersByTimeAsync(1000);
  expect(context?.timeoutMs()).toBe(2000);
  await vi.advanceTimersByTimeAsync(9000);
  expect(context?.timeoutMs()).toBe(0);
  c.open([[1, path("Ping")]], last(hi)); // biome-ignore format: one line
  await settle();
  expect(context?.timeoutMs()).toBeUndefined();
});

test("a status over the caller's limit is cut", async () => {
  const long = "\u00e4".repeat(5000);
  for (const [text, detail, tag, want] of [
    ["text", "d".repeat(5000), "m", { details: 0, tags: 1 }],
    ["text", "d".repeat(5000), "m".repeat(5000), { details: 0, tags: 0 }],
    [long, "d", "m", { details: 0, tags: 0 }],
    ["text", "d", "m", { details: 1, tags: 1 }],
  ] as const) {
    const c = serve({
      ping: (_, { responseTrailers }) => {
        responseTrailers.set("tag", tag);
        const error = new ParleyError(text, Code.Aborted).withDetail(PingFailureSchema, { hint: detail });
        error.details.push({} as never); // no Any: it is left out
        throw error;
      },
    });
    const id = c.open("Ping", last(hi));
    await settle();
    const { status, message, details, pairs } = c.status(id);
    expect({ status, details: details.length, tags: pairs.length }).toEqual({ status: Code.Aborted, ...want });
    expect(text.startsWith(message)).toBe(true);
    expect(message.length).toBeGreaterThan(text === long ? 1500 : 3);
    if (want.details) expect(fromBinary(AnySchema, details[0] as Uint8Array).typeUrl).toMatch(/PingFailure$/);
    c.close();
  }
});

test("the codec of a call is that of its answer", async () => {
  const c = serve({ ping: ({ text }) => ({ text }) });
  const id = c.open([[1, path("Ping")], [3, utf8("json")]], last(utf8('{"text":"hi"}'))); // biome-ignore format: one line
  await settle();
  const answer = c.wire.frames.find((frame) => frame.id === id && frame.name === "DATA");
  expect(fromUTF8(answer?.payload)).toBe('{"text":"hi"}');
});

describe("a malformed call gets a status (PROTOCOL.md, section 14.9)", () => {
  const bad = (...fields: Field[]): Field[] => [[1, path("CumSum")], ...fields];
  test.each<[row: string, what: string, open: Field[], code: number, says: string]>([
    ["R1", "key 0", bad([0, 0]), 13, ""],
    ["R1", "a key twice", bad([4, 1], [4, 1]), 13, ""],
    ["R1", "a method twice", bad([1, path("CumSum")]), 13, ""],
    ["R2", "no method", [], 13, ""],
    ["R2", "alias 0", [[2, 0]], 13, ""],
    ["R2", "a method and an alias", bad([2, 1]), 13, ""],
    ["R3", "metadata that is empty", bad([9, new Uint8Array()]), 13, ""],
    ["R3", "metadata that is cut", bad([9, Uint8Array.of(5, 97, 98)]), 13, ""],
    ["R3", "a key in upper case", bad(metadata("Tag", "x")), 13, ""],
    ["R3", "a key with a space", bad(metadata("a b", "x")), 13, ""],
    ["R3", "a key without a byte", bad(metadata("", "x")), 13, ""],
    ["R3", "a value with a newline", bad(metadata("tag", "a\nb")), 13, ""],
    ["R3", "a value that is not ASCII", bad(metadata("tag", "\u00e4")), 13, ""],
    ["R4", "a service that does not exist", [[1, utf8("no.Service/Call")]], 12, "no.Service"],
    ["R4", "a method that does not exist", [[1, path("None")]], 12, "None"],
    ["R4", "a method that is not served", [[1, path("Sum")]], 12, "Sum"],
    ["R4", "an empty name", [[1, utf8("")]], 13, ""],
    ["R4", "a name without a slash", [[1, utf8("parley.ping.v1.PingService")]], 12, ""],
    ["R4", "a slash in front", [[1, concat([utf8("/"), path("CumSum")])]], 12, ""],
    ["R4", "a name of bytes", [[1, Uint8Array.of(0xff, 0, 0x2f, 0xfe)]], 12, "\ufffd"],
    ["R4", "a name longer than an answer", [[1, utf8(`${"x".repeat(4000)}/y`)]], 12, "xxx"],
    ["R5", "an alias that was not given", [[2, 99]], 13, "99"],
    ["R6", "an unknown codec", bad([3, utf8("xml")]), 12, "json,proto"],
    ["R6", "an unknown encoding", bad([5, utf8("br")]), 12, "br"],
    ["R13", "timeout 0", bad([4, 0]), 4, ""],
    ["-", "unknown keys", bad([1000, 1], [1000, 2], [1001, utf8("x")], [13, utf8("")]), 0, ""],
    ["R14", "a reserved key", bad(metadata("parley-trace", "x")), 0, ""],
    ["R18", "a timeout too long", bad([4, Number.MAX_SAFE_INTEGER]), 0, ""],
    ["-", "compressions that are accepted, some unknown", bad([7, utf8("br,gzip,,x")]), 0, ""],
  ])("%s %s", async (_, __, fields, code, says) => {
    let ran = false;
    const c = serve({
      // biome-ignore lint/correctness/useYield: a stream without messages
      async *cumSum(requests, { requestHeaders }) {
        ran = true;
        expect([...requestHeaders]).toEqual([]);
        for await (const _ of requests);
      },
      ping: () => ({ text: "alive" }),
    });
    const id = c.open(fields, ended);
    await settle();
    expect(c.status(id)).toMatchObject({ status: code, message: expect.stringContaining(says) });
    expect(ran).toBe(code === 0);
    const good = c.open("Ping", last(hi));
    await settle();
    expect(c.sent(good)).toEqual(["DATA end"]);
    expect(c.wire.closed).toBeUndefined();
  });

  test("R20 more than 256 pairs of metadata", async () => {
    const pairs = (n: number) => Array.from({ length: n }, (_, i) => metadata(`k${i}`, ""));
    const c = serve({ ping: () => ({}) });
    const fine = c.open([[1, path("Ping")], ...pairs(256)], last(hi));
    const many = c.open([[1, path("Ping")], ...pairs(257)], last(hi));
    await settle();
    expect(c.sent(fine)).toEqual(["DATA end"]);
    expect(c.sent(many)).toEqual(["RESET 3"]);
  });

  test.each([
    ["R11", "no message", [ended], 13],
    ["R12", "two messages", [data(hi), last(hi)], 13],
    ["R12", "two messages, the second empty", [data(hi), data(new Uint8Array())], 13],
    ["R7", "a mark without an encoding", [data(hi, f.FLAG_MARK | f.FLAG_END)], 13],
    ["R8", "a message that does not parse", [last(Uint8Array.of(0x0a, 0xff))], 13],
    ["-", "one message and the end by itself", [data(hi), ended], 0],
  ] as const)("%s %s", async (_, __, frames, code) => {
    for (const method of ["Ping", "CountUp"]) {
      let ran = false;
      const c = serve({
        ping: () => after((ran = true), {}),
        countUp: () => after((ran = true), (async function* () {})()),
      });
      // A CountUpRequest is empty, or not parsed.
      const id = c.open(method, ...frames.map((frame) => frame as (id: number) => Uint8Array));
      await settle();
      if (code || method === "Ping") expect(ran).toBe(!code);
      if (code) expect(c.status(id).status).toBe(code);
      c.close();
    }
  });

  test("a request is delivered only with its end", async () => {
    const c = serve({ ping: () => expect.fail("the method sees the message") });
    const id = c.open([[1, path("Ping")], [4, 20_000]], data(hi)); // biome-ignore format: one line
    await vi.advanceTimersByTimeAsync(20);
    expect(c.status(id).status).toBe(Code.DeadlineExceeded);
  });
});

test("a handler that fails inside a message resets its stream", async () => {
  const c = serve({
    async *countUp(_, { signal }) {
      void signal;
      yield large(60_000);
      yield large(60_000); // there is less credit
    },
  });
  const id = c.open([[1, path("CountUp")], [4, 1_000_000]], last(new Uint8Array())); // biome-ignore format: one line
  await vi.advanceTimersByTimeAsync(1000);
  expect(c.sent(id).at(-1)).toBe(`RESET ${256 + Code.DeadlineExceeded}`);
});
