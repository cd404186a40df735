// Interceptors of calls: rpc/interceptor_test.go and rpc/tail_test.go have the same claims for Go.
import type { Message } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingFailureSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";
import { until } from "../../testing/until.js";
import {
  type CallOptions,
  type CallStream,
  Code,
  createClient,
  createConnection,
  type Interceptor,
  ParleyError,
  retryPolicy,
  type ServingConnection,
} from "../src/index.js";

let server: Server;
let conn: ServingConnection;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
afterEach(() => conn.close());

const connect = (...callInterceptors: Interceptor[]) => {
  conn = createConnection(server.url(), { WebSocket, callInterceptors });
  return createClient(PingService, conn);
};
type Ping = ReturnType<typeof connect>;

async function* numbers(...all: number[]) {
  for (const n of all) yield { number: BigInt(n) };
}

const all = async <T>(messages: AsyncIterable<T>) => {
  const got: T[] = [];
  for await (const m of messages) got.push(m);
  return got;
};

/** Each kind: good, and failing. */
const kinds: [name: string, good: (p: Ping, o?: CallOptions) => Promise<unknown>, bad: (p: Ping, o?: CallOptions) => Promise<unknown>, code: Code][] = [
  ["unary", (p, o) => p.ping({ text: "hi" }, o), (p, o) => p.ping({ text: "hi", failCode: Code.NotFound }, o), Code.NotFound],
  ["server streaming", (p, o) => all(p.countUp({ to: 3n }, o)), (p, o) => all(p.countUp({ to: 3n, delayMs: 1000 }, { timeoutMs: 50, ...o })), Code.DeadlineExceeded],
  ["client streaming", (p, o) => p.sum(numbers(1, 2, 3), o), (p, o) => p.sum(numbers(2 ** 62, 2 ** 62), o), Code.OutOfRange],
  ["bidirectional", (p, o) => all(p.cumSum(numbers(1, 2, 3), o)), (p, o) => all(p.cumSum(numbers(2 ** 62, 2 ** 62), o)), Code.OutOfRange],
]; // biome-ignore format: one line each

const failure = async (what: Promise<unknown>): Promise<ParleyError> => {
  const e = await what.then(
    () => new Error("it did not fail"),
    (e: unknown) => e,
  );
  expect(e).toBeInstanceOf(ParleyError);
  return e as ParleyError;
};

/** Counts what passes, and records how the call has ended. */
const counting =
  (events: string[], who = "call"): Interceptor =>
  (next) =>
  async (stream) => {
    let [sent, received] = [0, 0];
    const around: CallStream = Object.create(stream, {
      send: {
        value: async (m: Message) => {
          await stream.send(m);
          sent++;
        },
      },
      receive: {
        value: async () => {
          const m = await stream.receive();
          if (m) received++;
          return m;
        },
      },
    });
    let how = "OK";
    try {
      await next(around);
    } catch (e) {
      how = `${(e as ParleyError).code}`;
      throw e;
    } finally {
      events.push(`${who} ${stream.method.name} sent ${sent} received ${received} ${how}`);
    }
  };

test.each(kinds)("interceptors of a call are nested in order, and see the status: %s", async (_, good, bad, code) => {
  const events: string[] = [];
  const recording =
    (who: string): Interceptor =>
    (next) =>
    async (stream) => {
      events.push(`${who} before`);
      await next(stream).finally(() => events.push(`${who} behind`));
    };
  const ping = connect(recording("1"), recording("2"), recording("3"));
  const order = ["1 before", "2 before", "3 before", "3 behind", "2 behind", "1 behind"];
  await good(ping);
  expect(events.splice(0)).toEqual(order);
  expect((await failure(bad(ping))).code).toBe(code);
  expect(events).toEqual(order);
});

test("an interceptor's stream has seen every message when the call ends", async () => {
  const events: string[] = [];
  const ping = connect(counting(events));
  for (const [, good] of kinds) await good(ping);
  expect(events).toEqual([
    "call Ping sent 1 received 1 OK",
    "call CountUp sent 1 received 3 OK",
    "call Sum sent 3 received 1 OK",
    "call CumSum sent 3 received 3 OK",
  ]);
});

test("interceptors add request headers and see the response's", async () => {
  const seen: unknown[] = [];
  const ping = connect(
    (next) => async (stream) => {
      stream.requestHeaders.set("echo-by", `${stream.requestHeaders.get("echo-option")} outer`);
      stream.values.set("who", "outer");
      await next(stream);
      seen.push(stream.responseHeaders.get("echo-by"), stream.responseTrailers.get("trailer-echo-by"));
    },
    (next) => async (stream) => {
      seen.push(stream.values.get("who"), stream.requestHeaders.get("echo-by"), stream.connection === conn);
      await next(stream);
    },
  );
  const shown: unknown[] = [];
  await ping.ping({}, { headers: { "echo-option": "too" }, onHeader: (h) => shown.push(h.get("echo-by")) });
  expect(seen).toEqual(["outer", "too outer", true, "too outer", "too outer"]);
  expect(shown).toEqual(["too outer"]);
});

test.each(kinds)("an interceptor may change the status: %s", async (_, good, bad, code) => {
  const mapping: Interceptor = (next) => async (stream) => {
    try {
      await next(stream);
    } catch (e) {
      if ((e as ParleyError).code === code) throw new ParleyError("mapped", Code.DataLoss);
      throw e;
    }
    throw new ParleyError("changed", Code.Aborted);
  };
  const ping = connect(mapping);
  expect((await failure(good(ping))).message).toBe("aborted: changed");
  expect((await failure(bad(ping))).message).toBe("data_loss: mapped");
});

test("an interceptor may answer a unary call itself", async () => {
  const falling =
    (answers: boolean): Interceptor =>
    (next) =>
    async (stream) => {
      let answered = false;
      const receive = async () => {
        try {
          return await stream.receive();
        } catch (e) {
          if ((e as ParleyError).code !== Code.NotFound || answered) throw e;
          answered = true;
          return { $typeName: "parley.ping.v1.PingResponse", text: "fallback" } as Message;
        }
      };
      try {
        await next(answers ? (Object.create(stream, { receive: { value: receive } }) as CallStream) : stream);
      } catch (e) {
        if ((e as ParleyError).code !== Code.NotFound) throw e;
      }
    };
  expect((await connect(falling(true)).ping({ failCode: Code.NotFound })).text).toBe("fallback");
  await conn.close();
  const without = await failure(connect(falling(false)).ping({ failCode: Code.NotFound }));
  expect(without.message).toBe("internal: Ping returned OK without a message");
});

test.each(kinds)("an interceptor may refuse a call, which is not made: %s", async (_, good) => {
  for (const [refuse, message] of [
    [() => Promise.reject(new ParleyError("who?", Code.Unauthenticated)), "unauthenticated: who?"],
    [() => Promise.reject(new Error("no")), "unknown: no"],
    [
      () => Promise.reject(new Error("asking", { cause: new ParleyError("who?", Code.Unauthenticated) })),
      "unauthenticated: asking",
    ],
    [
      () => {
        throw new Error("at once");
      },
      "unknown: at once",
    ],
    [() => Promise.resolve(), /^internal: an interceptor of \w+ returned without calling next$/],
  ] as const) {
    const ping = connect(() => refuse as () => Promise<void>);
    const error = await failure(good(ping));
    if (typeof message === "string") expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(conn.state).toBe("idle");
    await conn.close();
  }
});

test("next may be called once", async () => {
  let second: unknown;
  const ping = connect((next) => async (stream) => {
    await next(stream);
    second = await next(stream).catch((e) => e);
  });
  expect((await ping.ping({ text: "hi" })).text).toBe("hi");
  expect(second).toMatchObject({ code: Code.Internal, rawMessage: "an interceptor of Ping called next twice" });
});

test("an interceptor cannot replace the error of an unopened call", async () => {
  const ping = connect((next) => async (stream) => {
    await next(stream).catch(() => {});
  });
  expect((await failure(ping.ping({}, { signal: AbortSignal.abort() }))).code).toBe(Code.Canceled);
  expect((await failure(ping.ping({}, { headers: { "parley-x": "1" } }))).code).toBe(Code.InvalidArgument);
  expect((await failure(ping.ping({}, { headers: { a: "line\nbreak" } }))).code).toBe(Code.InvalidArgument);
});

test("the timeout runs while an interceptor waits", async () => {
  let goOn = () => {};
  const ping = connect((next) => async (stream) => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await next(stream);
  });
  const late = await failure(ping.ping({}, { timeoutMs: 20 }));
  expect(late.code).toBe(Code.DeadlineExceeded);
  const controller = new AbortController();
  const left = failure(ping.ping({}, controller));
  controller.abort();
  expect((await left).code).toBe(Code.Canceled);
  goOn();
  const answers = ping.countUp({ to: 1n })[Symbol.asyncIterator]();
  const waiting = answers.next();
  await answers.return();
  expect((await waiting).done).toBe(true);
  const fine = ping.ping({ text: "hi" });
  goOn();
  expect((await fine).text).toBe("hi");
});

test("code after next runs once, whatever ends the call", async () => {
  const events: string[] = [];
  const ping = connect(counting(events, "outer"), counting(events, "inner"));
  const took = async (want: string) => {
    await until(`the end of ${want}`, () => events.length === 2);
    expect(events.splice(0)).toEqual([`inner ${want}`, `outer ${want}`]);
  };
  // Its reader leaves the loop.
  for await (const _ of ping.countUp({ to: 1_000_000n, delayMs: 1 })) break;
  await took(`CountUp sent 1 received 1 ${Code.Canceled}`);
  // Its reader leaves a call that has ended well meanwhile.
  const answers = ping.countUp({ to: 2n })[Symbol.asyncIterator]();
  await answers.next();
  await ping.ping({});
  await took("Ping sent 1 received 1 OK");
  await answers.return();
  await took("CountUp sent 1 received 1 OK");
  // Its signal, though the call is not read.
  const controller = new AbortController();
  const call = conn.call(PingService.method.cumSum, controller);
  await call.send({ number: 1n });
  controller.abort();
  await took(`CumSum sent 1 received 0 ${Code.Canceled}`);
  await expect(call.send({ number: 1n })).rejects.toThrow("canceled");
  await expect(call.next()).rejects.toThrow("canceled");
  // The connection.
  const flying = failure(ping.ping({ delayMs: 60_000 }));
  await ping.ping({});
  await took("Ping sent 1 received 1 OK");
  await conn.close();
  expect((await flying).code).toBe(Code.Canceled);
  await took(`Ping sent 1 received 0 ${Code.Canceled}`);
  expect(events).toEqual([]);
});

test("a slow interceptor keeps messages and end in order", async () => {
  connect((next) => async (stream) => {
    let delay = 10;
    const send = async (m: Message) => {
      await new Promise((resolve) => setTimeout(resolve, (delay -= 3)));
      await stream.send(m);
    };
    await next(Object.create(stream, { send: { value: send } }) as CallStream);
  });
  const call = conn.call(PingService.method.cumSum);
  for (const n of [1n, 2n, 3n]) void call.send({ number: n });
  call.end();
  const sums: bigint[] = [];
  for (let m = await call.next(); m; m = await call.next()) sums.push(m.sum);
  expect(sums).toEqual([1n, 3n, 6n]);
});

test("a stream wrapper that throws ends its call", async () => {
  const ping = connect((next) => (stream) => {
    const receive = () => Promise.reject(new ParleyError("not this one", Code.DataLoss));
    return next(Object.create(stream, { receive: { value: receive } }) as CallStream);
  });
  expect((await failure(all(ping.countUp({ to: 1_000_000n })))).message).toBe("data_loss: not this one");
  await server.steady(() =>
    createClient(PingService, conn)
      .sum([])
      .catch(() => {}),
  );
});

test("an error has its details through interceptors", async () => {
  const error = await failure(connect((next) => next).ping({ text: "hi", failCode: Code.NotFound }));
  expect(error.findDetails(PingFailureSchema).length).toBe(1);
  expect(error.message).toBe("not_found: failing as asked");
});

test("interceptors see one call, not the attempts", async () => {
  let seen = 0;
  const retry = retryPolicy({ maxAttempts: 3, codes: [Code.NotFound], initialBackoffMs: 0, maxBackoffMs: 0 });
  const counted: Interceptor = (next) => (stream) => {
    seen++;
    return next(stream);
  };
  conn = createConnection(server.url(), { WebSocket, callInterceptors: [counted], retry });
  const error = await failure(createClient(PingService, conn).ping({ failCode: Code.NotFound }));
  expect(error.code).toBe(Code.NotFound);
  expect(seen).toBe(1);
});
