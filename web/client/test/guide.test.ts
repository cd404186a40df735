// What docs/browser.md shows is run here.
//snippet:imports
import { Code, createClient, createConnection, ParleyError } from "@parley-rpc/client";
//snippet:end
//snippet:fallback-import
import { fetchFallback } from "@parley-rpc/client/fallback";
//snippet:end

import { createRegistry } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { AgentService, HubService } from "../../gen/parley/agent/v1/agent_pb.js";
import { PingFailureSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { BlockingProxy } from "../../testing/blockingproxy.js";
import { Server } from "../../testing/server.js";
import { type CallOptions, follow, gzip, type Interceptor, json, retryLater, retryPolicy } from "../src/index.js";

let server: Server;
let url: string;
beforeAll(async () => {
  server = await Server.start();
  url = server.url();
  vi.stubGlobal("WebSocket", WebSocket);
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await server.stop();
});

test("the four kinds", async () => {
  const shown: unknown[] = [];
  const show = (what: unknown) => shown.push(what);
  //snippet:connect
  const connection = createConnection(url); // "wss://example.com/rpc", or "/rpc" of the page's own server
  const ping = createClient(PingService, connection);
  //snippet:end

  //snippet:kinds
  // One message each.
  const { text } = await ping.ping({ text: "hi" });
  show(text);

  // The server streams. Leaving the loop cancels the call.
  for await (const { number } of ping.countUp({ to: 1_000_000n })) {
    show(number);
    if (number === 3n) break;
  }

  // The client streams.
  async function* numbers() {
    yield { number: 1n };
    yield { number: 2n };
  }
  const { sum } = await ping.sum(numbers());
  show(sum);

  // Both do, whenever they like.
  for await (const { sum } of ping.cumSum(numbers())) show(sum);
  //snippet:end
  expect(shown).toEqual(["hi", 1n, 2n, 3n, 3n, 1n, 3n]);
  //snippet:close
  await connection.close();
  //snippet:end
});

test("options and errors", async () => {
  const connection = createConnection(url);
  const ping = createClient(PingService, connection);
  const shown: string[] = [];
  const show = (what: string) => shown.push(what);
  const leave = new AbortController();
  //snippet:options
  await ping.ping(
    { text: "hi" },
    {
      timeoutMs: 5000,
      signal: leave.signal,
      headers: { "request-id": "42" },
      onHeader: (headers) => console.debug(headers),
      onTrailer: (trailers) => console.debug(trailers),
    },
  );
  //snippet:end

  //snippet:errors
  try {
    await ping.ping({ text: "hi", failCode: Code.NotFound });
  } catch (e) {
    const error = ParleyError.from(e);
    if (error.code === Code.NotFound) show(error.message);
    for (const { hint } of error.findDetails(PingFailureSchema)) show(hint);
  }
  //snippet:end
  expect(shown).toEqual(["not_found: failing as asked", "leave fail_code out"]);
  await connection.close();
});

test("interceptors, timeouts and retries", async () => {
  const shown: string[] = [];
  const show = (what: string) => shown.push(what);
  //snippet:interceptors
  const timed: Interceptor = (next) => async (stream) => {
    stream.requestHeaders.set("request-id", crypto.randomUUID());
    const begun = performance.now();
    try {
      await next(stream); // the call: its failure is the status
    } finally {
      show(`${stream.method.name} took ${Math.ceil(performance.now() - begun)} ms`);
    }
  };
  const connection = createConnection(url, {
    callInterceptors: [timed], // the first is outermost; handlerInterceptors are around what this end serves
    defaultTimeoutMs: 10_000,
    retry: retryPolicy({ maxAttempts: 4, codes: [Code.Unavailable], initialBackoffMs: 100, maxBackoffMs: 5000 }),
  });
  //snippet:end
  await createClient(PingService, connection).ping({ text: "hi" });
  expect(shown).toEqual([expect.stringMatching(/^Ping took \d+ ms$/)]);
  await connection.close();
});

test("JSON", async () => {
  //snippet:json
  const connection = createConnection(url, { codec: json, registry: createRegistry(PingFailureSchema) });
  //snippet:end
  expect((await createClient(PingService, connection).ping({ text: "hi" })).text).toBe("hi");
  await connection.close();
});

test("compression", async () => {
  const connection = createConnection(url);
  const ping = createClient(PingService, connection);
  const text = "a text that repeats. ".repeat(100);
  //snippet:gzip
  const { text: answer } = await ping.ping({ text }, { codec: gzip() });
  //snippet:end
  expect(answer).toBe(text);
  await connection.close();
});

test("several servers", async () => {
  //snippet:urls
  const connection = createConnection(["wss://a.example.com/rpc", "wss://b.example.com/rpc"], { balancer: "roundRobin" });
  //snippet:end
  expect(connection.state).toBe("idle");
  await connection.close();
});

test("the server calls the page", async () => {
  const connection = createConnection(url);
  const signedIn = async () => {};
  //snippet:serve
  connection.serve(AgentService, {
    describe: () => ({ platform: navigator.userAgent }),
    async *watch({ count }, { signal }) {
      for (let number = 1; number <= count && !signal.aborted; number++) {
        yield { reading: { number, temperature: 20 } };
      }
    },
  });
  await connection.connect(); // the server cannot call who is not there
  //snippet:end
  await signedIn();
  vi.stubGlobal("navigator", { userAgent: "a test" });
  const { agents } = await createClient(HubService, connection).listAgents({});
  expect(agents[0]?.description?.platform).toBe("a test");
  await connection.close();
});

test("streams over deploys", async () => {
  const connection = createConnection(url);
  const ping = createClient(PingService, connection);
  let deploys = 0;
  const feed = {
    async *watch({ after }: { after: bigint }, options: CallOptions) {
      for await (const event of ping.countUp({ to: 6n }, options)) if (event.number > after) yield event;
    },
  };
  const deployed = {
    async *watch(...args: Parameters<typeof feed.watch>) {
      for await (const event of feed.watch(...args)) {
        yield event;
        if (event.number === 3n && deploys++ === 0) throw retryLater();
      }
    },
  };
  const shown: bigint[] = [];
  const show = (what: bigint) => shown.push(what);
  const run = async (feed: typeof deployed) => {
    //snippet:follow
    const events = follow({
      from: 0n, // a cursor: where to begin
      open: (after, options) => feed.watch({ after }, options),
      cursor: ({ number }) => number, // where to go on behind a message
    });
    for await (const { number } of events) show(number);
    //snippet:end
  };
  await run(deployed);
  expect(shown).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  expect(deploys).toBe(1);

  let last: unknown;
  //snippet:retrylater
  connection.serve(AgentService, {
    async *watch(_, { signal, draining }) {
      for (let number = 1; !signal.aborted; number++) {
        if (draining.aborted) throw retryLater(); // the caller retries at once
        yield { reading: { number, temperature: 20 } };
      }
    },
  });
  //snippet:end
  const hub = createClient(HubService, connection);
  for await (const { reading } of hub.watchAgent({})) if ((last = reading?.number) === 3) break;
  expect(last).toBe(3);
  await connection.close();
});

test("credentials and states", async () => {
  const session = { token: async () => "secret" };
  const badge = { textContent: "" };
  url = server.url("/auth");
  //snippet:credentials
  const connection = createConnection(url, { credentials: () => session.token() });
  //snippet:end
  //snippet:states
  connection.subscribe((state) => {
    badge.textContent = state === "failed" ? `${connection.error}` : state;
  });
  //snippet:end
  await connection.connect();
  await connection.close();
  expect(badge.textContent).toBe("closed");
});

test("a network that blocks WebSockets", async () => {
  const proxy = await BlockingProxy.start(server.port, 502);
  const url = proxy.url();
  //snippet:fallback
  const connection = createConnection(url, { fallback: fetchFallback() });
  //snippet:end
  expect((await createClient(PingService, connection).ping({ text: "hi" })).text).toBe("hi");
  expect(connection.state).toBe("fallback");
  await connection.close();
  await proxy.stop();
});

test("several values of a name", async () => {
  const connection = createConnection(server.url());
  const ping = createClient(PingService, connection);
  let values: string[] = [];
  //snippet:values
  await ping.ping(
    { text: "hi" },
    {
      headers: [
        ["echo-tag", "a"],
        ["echo-tag", "b, c"],
      ],
      onHeader: (headers) => {
        values = headers.getAll("echo-tag"); // "a" and "b, c"; get joins them
      },
    },
  );
  //snippet:end
  expect(values).toEqual(["a", "b, c"]);
  await connection.close();
});
