import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { AgentService } from "../../gen/parley/agent/v1/agent_pb.js";
import { PingFailureSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { BlockingProxy, type Upgrades } from "../../testing/blockingproxy.js";
import { Server } from "../../testing/server.js";
import { until } from "../../testing/until.js";
import { type FallbackOptions, fetchFallback } from "../src/fallback.js";
import {
  Code,
  createClient,
  createConnection,
  gzip,
  type Interceptor,
  json,
  ParleyError,
  retryPolicy,
  type ServingConnection,
  type ServingOptions,
} from "../src/index.js";

let server: Server;
let proxy: BlockingProxy;
const connections: ServingConnection[] = [];
beforeEach(async () => {
  server = await Server.start();
  proxy = await BlockingProxy.start(server.port, 400);
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((conn) => conn.close()));
  await proxy.stop();
  await server.stop();
});

/** Connects through the proxy, with a fallback. */
function connectBy(upgrades: Upgrades, options: ServingOptions & { fallbackOptions?: FallbackOptions; path?: string } = {}) {
  proxy.upgrades = upgrades;
  const { fallbackOptions = {}, path, ...others } = options;
  const fallback = fetchFallback({ retry: { initialMs: 60_000, maxMs: 60_000 }, ...fallbackOptions });
  const conn = createConnection(proxy.url(path), { WebSocket, connectTimeoutMs: 2000, ...others, fallback });
  connections.push(conn);
  const states: string[] = [];
  conn.subscribe((state) => states.push(state));
  return { conn, states, ping: createClient(PingService, conn) };
}

/** Returns the error of a call. */
const failure = (call: Promise<unknown>): Promise<ParleyError> =>
  call.then(
    (v) => Promise.reject(new Error(`it has returned ${v}`)),
    (e) => ParleyError.from(e),
  );

test.each<Upgrades>([400, 404, 426, 502, 501, "stripped", "hanging"])(
  "behind a proxy whose WebSockets are %s, calls go over fetch",
  async (upgrades) => {
    const { conn, states, ping } = connectBy(upgrades);
    const first = ping.ping({ text: "hi" }, { waitForReady: true });
    expect((await first).text).toBe("hi");
    expect(conn.state).toBe("fallback");
    expect(states.at(-1)).toBe("fallback");
    expect(states).not.toContain("ready");
    expect(conn.error?.code).toBe(Code.Unimplemented);
    expect(conn.error?.message).toContain(`WebSockets do not get through to ${proxy.url()}`);
    expect(proxy.webSockets).toBe(3);
    const counted: bigint[] = [];
    for await (const { number } of ping.countUp({ to: 1000n })) counted.push(number);
    expect(counted).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
    expect(proxy.webSockets).toBe(3);
  },
  30_000,
);

test("WebSockets that open and carry nothing count as blocked", async () => {
  const { conn, ping } = connectBy("mute");
  await until("a call succeeds", () =>
    ping.ping({}).then(
      () => true,
      (e) => e.code !== Code.Unavailable,
    ),
  );
  expect(conn.state).toBe("fallback");
  expect(conn.error?.message).toContain("the WebSocket carries nothing");
  expect(proxy.webSockets).toBe(3);
});

test("a call that began before the fallback waits for it", async () => {
  const { ping, states } = connectBy(502);
  expect((await ping.ping({ text: "soon" })).text).toBe("soon");
  await until("the state is told", () => states.at(-1) === "fallback");
  expect(states).toEqual(["connecting", "fallback"]);
});

test("an error has its code, text, details and trailers", async () => {
  const { ping } = connectBy(400);
  let trailers: Headers | undefined;
  const error = await failure(
    ping.ping(
      { text: "a", failCode: Code.NotFound },
      { headers: { "echo-a": "1", "echo-b-bin": "AAEC" }, onTrailer: (h) => (trailers = h) },
    ),
  );
  expect([error.code, error.rawMessage]).toEqual([Code.NotFound, "failing as asked"]);
  expect(error.findDetails(PingFailureSchema)).toMatchObject([{ text: "a", hint: "leave fail_code out" }]);
  expect(error.trailer?.get("trailer-echo-a")).toBe("1");
  expect(trailers?.get("trailer-echo-b-bin")).toBe("AAEC");
});

test.each(["unary", "stream"])("metadata goes both ways: %s", async (kind) => {
  const { ping } = connectBy(400);
  let [header, trailer] = [new Headers(), new Headers()];
  const options = {
    headers: { "echo-a": "text, and more", "echo-b-bin": "AAEC,/w" },
    onHeader: (h: Headers) => (header = h),
    onTrailer: (h: Headers) => (trailer = h),
  };
  if (kind === "unary") await ping.ping({ text: "a" }, options);
  else for await (const _ of ping.countUp({ to: 2n }, options));
  expect(header.get("echo-a")).toBe("text, and more");
  expect(header.get("echo-b-bin")?.replace(" ", "")).toBe("AAEC,/w");
  expect(trailer.get("trailer-echo-a")).toBe("text, and more");
  expect(trailer.get("trailer-echo-b-bin")?.replace(" ", "")).toBe("AAEC,/w");
  expect(header.get("content-type")).toBeNull();
});

test("calls that stream requests are UNIMPLEMENTED, and say why", async () => {
  const { ping } = connectBy(400);
  async function* numbers() {
    yield { number: 1n };
  }
  const sum = await failure(ping.sum(numbers()));
  const cumSum = await failure(ping.cumSum(numbers()).next());
  for (const error of [sum, cumSum]) {
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.message).toMatch(/Sum streams requests: WebSockets do not get through to ws:.*let the network or its proxy/);
  }
});

test("a page that serves learns from connect that the server cannot call it", async () => {
  const { conn } = connectBy(400);
  await conn.connect(); // it serves nothing
  conn.serve(AgentService, { describe: () => ({ platform: "a page" }) });
  const error = await failure(conn.connect());
  expect(error.code).toBe(Code.Unimplemented);
  expect(error.message).toContain("the server cannot call");
});

test("aborting, leaving the loop and a timeout end the request", async () => {
  const { ping } = connectBy(400);
  await ping.ping({});
  const left = new AbortController();
  const slow = failure(ping.ping({ delayMs: 60_000 }, { signal: left.signal }));
  left.abort();
  expect((await slow).code).toBe(Code.Canceled);
  for await (const { number } of ping.countUp({ to: 1_000_000n, delayMs: 1 })) if (number === 3n) break;
  const sent = await server.steady(() => ping.ping({}));
  expect(sent).toBeLessThan(1_000);
  const late = await failure(ping.ping({ delayMs: 60_000 }, { timeoutMs: 100 }));
  expect(late.code).toBe(Code.DeadlineExceeded);
});

test("a stream that is not read is not received, and stops no other call", async () => {
  let received = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>(
    {
      transform: (piece, to) => {
        received += piece.length;
        to.enqueue(piece);
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
  const countingFetch: typeof fetch = async (url, init) => {
    const res = await fetch(url, init);
    return `${url}`.endsWith("/CountUp") ? new Response(res.body?.pipeThrough(count), res) : res;
  };
  const fallbackOptions = { fetch: countingFetch, url: `http://${server.addr}/rpc/` };
  const { ping } = connectBy(400, { fallbackOptions });
  const responses = ping.countUp({ to: 10_000_000n });
  await responses.next();
  let before = -1;
  await until("nothing more is received", async () => {
    before = received;
    await ping.ping({ delayMs: 100 });
    return received === before;
  });
  expect(received).toBeLessThan(2 << 20);
  await responses.return();
});

test("when WebSockets get through, new calls use them, and running calls finish", async () => {
  const { conn, states, ping } = connectBy(502, { fallbackOptions: { retry: { initialMs: 50, maxMs: 100 } } });
  const running = ping.countUp({ to: 300n, delayMs: 2 });
  await running.next();
  await until("some WebSockets have failed", () => proxy.webSockets > 5);
  expect(conn.state).toBe("fallback");
  proxy.upgrades = "forwarded";
  await until("the state is ready", () => conn.state === "ready");
  const requests = proxy.paths.length;
  async function* numbers() {
    yield { number: 20n };
    yield { number: 3n };
  }
  expect((await ping.sum(numbers())).sum).toBe(23n);
  expect((await ping.ping({ text: "by WebSocket" })).text).toBe("by WebSocket");
  expect(proxy.paths.length).toBe(requests);
  let last = 0n;
  for await (const { number } of running) last = number;
  expect(last).toBe(300n);
  expect(states).toEqual(["connecting", "fallback", "ready"]);
  await until("the session of the fallback has ended", async () => (await server.open()) === 1);
});

test("a connection that loses its WebSocket for good falls back", async () => {
  const { conn, ping } = connectBy("forwarded", { fallbackOptions: { retry: { initialMs: 50, maxMs: 100 } } });
  const running = ping.countUp({ to: 200n, delayMs: 5 });
  await running.next();
  expect(conn.state).toBe("ready");
  proxy.upgrades = 502;
  proxy.cut();
  await until("the loss is noticed", () => conn.state === "resuming");
  expect((await ping.ping({ text: "meanwhile" })).text).toBe("meanwhile");
  expect(conn.state).toBe("fallback");
  proxy.upgrades = "forwarded";
  await until("the state is ready", () => conn.state === "ready");
  let last = 0n;
  for await (const { number } of running) last = number; // resumed
  expect(last).toBe(200n);
  expect((await ping.ping({ text: "again" })).text).toBe("again");
});

test("a link that is lost and resumed does not fall back", async () => {
  const { conn, states, ping } = connectBy("forwarded");
  await ping.ping({});
  proxy.cut();
  expect((await ping.ping({ text: "resumed" })).text).toBe("resumed");
  await until("the state is ready", () => conn.state === "ready");
  expect(states).not.toContain("fallback");
  expect(proxy.paths).toEqual([]);
});

test("a server that is down is no reason to fall back", async () => {
  const { conn, ping } = connectBy(502);
  proxy.down = true;
  expect((await failure(ping.ping({}))).code).toBe(Code.Unavailable);
  expect(conn.state).toBe("failed");
  proxy.down = false;
  proxy.upgrades = "forwarded";
  expect((await ping.ping({ text: "up" }, { waitForReady: true })).text).toBe("up");
  expect(conn.state).toBe("ready");
});

test("a server without ext/connect is no reason to fall back, and the error says so", async () => {
  const { conn, ping } = connectBy(502, { path: "/brief" });
  const error = await failure(ping.ping({}));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.message).toMatch(/and no fallback: http.* answers HTTP status 404 .*: mount the handler of ext\/connect there/);
  expect(conn.state).toBe("failed");
});

test("a server that refuses the credentials is heard", async () => {
  const { conn, ping } = connectBy(502, { path: "/auth", credentials: () => "wrong" });
  const error = await failure(ping.ping({}));
  expect([error.code, error.rawMessage]).toEqual([Code.Unauthenticated, "the token is not the right one"]);
  expect(conn.state).toBe("failed");
  const known = connectBy(502, { path: "/auth", credentials: async () => "secret" });
  expect((await known.ping.ping({ text: "known" })).text).toBe("known");
  expect(known.conn.state).toBe("fallback");
});

test("codecs: JSON, and gzip in both directions", async () => {
  for (const codec of [json, gzip(), gzip(json)]) {
    const { ping } = connectBy(400, { codec });
    const text = "hi ".repeat(5000);
    expect((await ping.ping({ text })).text).toBe(text);
    const counted: bigint[] = [];
    for await (const { number } of ping.countUp({ to: 3n })) counted.push(number);
    expect(counted).toEqual([1n, 2n, 3n]);
  }
});

test("a response over the limit fails its call", async () => {
  const { ping } = connectBy(400, { settings: { maxMessage: 65_536 } });
  const error = await failure(ping.ping({ text: "x".repeat(100_000) }));
  expect(error.code).toBe(Code.ResourceExhausted);
  expect((await ping.ping({ text: "x".repeat(60_000) })).text.length).toBe(60_000);
});

test("headers of HTTP are refused, and interceptors see the call", async () => {
  const seen: string[] = [];
  const watch: Interceptor = (next) => async (stream) => {
    stream.requestHeaders.append("echo-a", "1");
    await next(stream);
    seen.push(stream.method.name, stream.responseHeaders.get("echo-a") ?? "");
  };
  const { ping } = connectBy(400, { callInterceptors: [watch] });
  await ping.ping({});
  expect(seen).toEqual(["Ping", "1"]);
  const error = await failure(ping.ping({}, { headers: { "content-type": "x" } }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.message).toContain("content-type is a header of HTTP");
});

test("the retry policy repeats a call whose request was lost", async () => {
  const retry = retryPolicy({ maxAttempts: 5, codes: [Code.Unavailable], initialBackoffMs: 50, maxBackoffMs: 50 });
  const { ping } = connectBy(400, { retry });
  await ping.ping({});
  const call = ping.ping({ text: "again", delayMs: 300 });
  const requests = proxy.paths.length;
  await until("the request is made", () => proxy.paths.length > requests);
  proxy.cut();
  expect((await call).text).toBe("again");
  expect(proxy.paths.length).toBe(requests + 2);
});

test("a network that is back is tried at once", async () => {
  const events = new EventTarget();
  vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
  const { conn, ping } = connectBy(400);
  await ping.ping({});
  const before = proxy.webSockets;
  proxy.upgrades = "forwarded";
  events.dispatchEvent(new Event("online"));
  await until("the state is ready", () => conn.state === "ready");
  expect(proxy.webSockets).toBe(before + 1);
  vi.unstubAllGlobals();
});

test("invalid options are named", () => {
  for (const [options, why] of [
    [{ attempts: 0 }, "attempts must be an integer of at least 1"],
    [{ retry: { initialMs: 0, maxMs: 1 } }, "retry.initialMs must be positive"],
    [{ retry: { initialMs: 2, maxMs: 1 } }, "retry.maxMs must be at least retry.initialMs"],
  ] as const) {
    expect(() => fetchFallback(options)).toThrow(`fetchFallback: ${why}`);
  }
});
