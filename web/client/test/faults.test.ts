import { Code, type Connection, type ConnectionOptions, createClient, createConnection, ParleyError } from "@parley-rpc/client";
import { afterEach, describe, expect, test } from "vitest";
import { type WebSocket as Socket, WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Fake } from "../../testing/fake.js";
import { Server } from "../../testing/server.js";
import { Tunnel } from "../../testing/tunnel.js";
import { until } from "../../testing/until.js";
import { unhex, vectors } from "../../testing/vectors.js";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function open(url: string, options: ConnectionOptions = {}): Connection {
  const conn = createConnection(url, { WebSocket, jitter: () => 10, ...options });
  ends.push(() => conn.close());
  return conn;
}

async function start(...args: string[]): Promise<Server> {
  const server = await Server.start(...args);
  ends.push(() => server.stop());
  return server;
}

async function between(server: Server): Promise<Tunnel> {
  const proxy = await Tunnel.start(server.port);
  ends.push(() => proxy.stop());
  return proxy;
}

async function fake(made: Promise<Fake>): Promise<Fake> {
  const server = await made;
  ends.push(() => server.stop());
  return server;
}

async function failure(what: Promise<unknown>): Promise<ParleyError> {
  const error = await what.then(
    () => Promise.reject(new Error("it did not fail")),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ParleyError);
  return error as ParleyError;
}

const ping = (conn: Connection) => createClient(PingService, conn);
const HELLO = Buffer.from("010000", "hex");

describe("a link that is lost", () => {
  test("is replaced, and no message is lost, twice or out of order", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url());
    const states: string[] = [];
    conn.subscribe((state) => states.push(state));
    const got: number[] = [];
    let sum = 0n;
    const down = (async () => {
      for await (const { number } of ping(conn).countUp({ to: 200_000n })) {
        got.push(Number(number));
        if (number % 40_000n === 0n) proxy.cut(); // more than a window of messages apart
      }
    })();
    async function* up() {
      for (let n = 1n; n <= 5000n; n++) yield { number: n };
    }
    const up1 = (async () => {
      for await (const answer of ping(conn).cumSum(up())) sum = answer.sum;
    })();
    await Promise.all([down, up1]);
    expect(got).toEqual(Array.from({ length: 200_000 }, (_, i) => i + 1));
    expect(sum).toBe((5000n * 5001n) / 2n);
    expect(proxy.connections).toBeGreaterThanOrEqual(5);
    expect(states).toContain("resuming");
    expect(states.at(-1)).toBe("ready");
  });

  test("does not fail new calls", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url());
    await conn.connect();
    proxy.refusing = true;
    proxy.cut();
    await until("the link is missed", () => conn.state === "resuming");
    const calls = Promise.all([1, 2, 3].map((n) => ping(conn).ping({ text: `${n}` })));
    proxy.refusing = false;
    expect((await calls).map((a) => a.text)).toEqual(["1", "2", "3"]);
  });

  test("does not stop the clock of a call", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url());
    await conn.connect();
    proxy.refusing = true;
    proxy.cut();
    expect((await failure(ping(conn).ping({}, { timeoutMs: 50 }))).code).toBe(Code.DeadlineExceeded);
  });

  test("fails its calls with UNAVAILABLE if resumption is off", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url("/brief"));
    await conn.connect();
    const flying = failure(ping(conn).ping({ delayMs: 60_000 }));
    await ping(conn).ping({}); // the one before is with the server
    proxy.cut();
    expect((await flying).message).toMatch(/^unavailable: link lost/);
    expect((await ping(conn).ping({ text: "hi" }, { waitForReady: true })).text).toBe("hi");
  });

  test("fails its calls with UNAVAILABLE when no link resumes it in time", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url(), { settings: { resumeWindow: 100 } });
    await conn.connect();
    const flying = failure(ping(conn).ping({ delayMs: 60_000 }));
    proxy.refusing = true;
    proxy.cut();
    expect((await flying).message).toMatch(/^unavailable: session lost: not resumed in time: link lost/);
    await until("the connection has failed", () => conn.state === "failed");
    expect((await failure(ping(conn).ping({}))).code).toBe(Code.Unavailable);
    proxy.refusing = false;
    expect((await ping(conn).ping({ text: "hi" }, { waitForReady: true })).text).toBe("hi");
  });

  test("is noticed by silence", async () => {
    const proxy = await between(await start());
    const conn = open(proxy.url(), { settings: { keepalive: 1000 } });
    await conn.connect();
    proxy.blackhole = true;
    const call = ping(conn).ping({ text: "hi" });
    await until("the link is missed", () => conn.state === "resuming");
    proxy.blackhole = false;
    expect((await call).text).toBe("hi");
  });
});

describe("a server", () => {
  test("that is restarted fails calls in flight with UNAVAILABLE", async () => {
    const first = await start();
    const conn = open(first.url());
    await conn.connect();
    const flying = failure(ping(conn).ping({ delayMs: 60_000 }));
    await ping(conn).ping({});
    await first.stop("killed");
    await until("the link is missed", () => conn.state === "resuming");
    const waiting = ping(conn).ping({ text: "hi" });
    await start("-addr", first.addr);
    expect((await flying).message).toBe("unavailable: session lost: the peer does not know it");
    expect((await waiting).text).toBe("hi"); // it was not sent before
  });

  test("that drains finishes its calls, while others go to the next", async () => {
    const server = await start();
    const conn = open(server.url());
    const running = ping(conn).countUp({ to: 50n, delayMs: 5 });
    await running.next();
    const states: string[] = [];
    conn.subscribe((state) => states.push(state));
    await server.drain();
    for (let i = 0; i < 200; i++) expect((await ping(conn).ping({ text: "hi" })).text).toBe("hi"); // none waits, none fails
    expect(states).toEqual([]);
    let last = 0n;
    for await (const { number } of running) last = number;
    expect(last).toBe(50n);
  });

  test("that is down fails calls at once, or lets them wait", async () => {
    const gone = await Server.start();
    await gone.stop();
    const conn = open(gone.url());
    const error = await failure(ping(conn).ping({}));
    expect(error.message).toMatch(/^unavailable: could not connect: .*ECONNREFUSED/);
    expect((await failure(conn.connect())).code).toBe(Code.Unavailable);
    const waiting = ping(conn).ping({ text: "hi" }, { waitForReady: true });
    await start("-addr", gone.addr);
    expect((await waiting).text).toBe("hi");
  });

  test("that does not answer is abandoned in time", async () => {
    const silent = await fake(Fake.webSocket(() => {}));
    const conn = open(silent.url, { connectTimeoutMs: 50 });
    await conn.close();
    const { createServer } = await import("node:net");
    const deaf = createServer(() => {}).listen(0, "127.0.0.1");
    const { port } = await new Promise<{ port: number }>((resolve) =>
      deaf.on("listening", () => resolve(deaf.address() as { port: number })),
    );
    const late = open(`ws://127.0.0.1:${port}`, { connectTimeoutMs: 50 });
    expect((await failure(ping(late).ping({}))).message).toBe("unavailable: no connection within 50 ms");
    await late.close();
    deaf.close();
  });
});

describe("credentials", () => {
  test("are requested for each link", async () => {
    const proxy = await between(await start());
    let asked = 0;
    const conn = open(proxy.url("/auth"), {
      credentials: async () => {
        asked++;
        return "secret";
      },
    });
    expect((await ping(conn).ping({ text: "hi" })).text).toBe("hi");
    proxy.cut();
    await until("there is another link", () => asked === 2 && conn.state === "ready");
    expect((await ping(conn).ping({ text: "again" })).text).toBe("again");
  });

  test("that are wrong are rejected with a readable status", async () => {
    const server = await start();
    let dials = 0;
    const conn = open(server.url("/auth"), {
      credentials: () => {
        dials++;
        return "wrong";
      },
    });
    const error = await failure(ping(conn).ping({}));
    expect(error.message).toMatch(/^unauthenticated: the server refuses the handshake: HTTP status 401/);
    expect(conn.state).toBe("failed");
    expect(dials).toBe(1);
  });

  test("that are rejected by the page's server say why", async () => {
    const server = await start("-origin", "http://page.example");
    class Page extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { origin: "http://page.example" });
      }
    }
    const conn = open(server.url("/auth"), { WebSocket: Page, credentials: () => "wrong" });
    const error = await failure(ping(conn).ping({}));
    expect(error.message).toBe("unauthenticated: closed by the peer with code 4016: the token is not the right one");
  });

  test("that fail make the attempt fail", async () => {
    const server = await start();
    const conn = open(server.url(), { credentials: () => Promise.reject(new Error("signed out")) });
    expect((await failure(ping(conn).ping({}))).message).toBe("unavailable: no credentials: signed out");
    const odd = open(server.url(), { credentials: () => "not a token" });
    expect((await failure(ping(odd).ping({}))).message).toMatch(/^invalid_argument: the credential/);
  });
});

describe("a peer that breaks the rules", () => {
  /** Talks after it has got this end's HELLO. */
  const peer = (talk: (socket: Socket) => void) => fake(Fake.webSocket((socket) => socket.once("message", () => talk(socket))));

  /** What a call sees, and the code that the link is closed with. */
  async function broken(talk: (socket: Socket) => void): Promise<[ParleyError, number]> {
    let code = 0;
    const server = await peer((socket) => {
      socket.once("close", (c) => {
        code ||= c;
      });
      talk(socket);
    });
    const conn = open(server.url);
    const error = await failure(ping(conn).ping({}));
    await until("the link is closed", () => code !== 0);
    return [error, code];
  }

  test("with a malformed frame is closed with 1002", async () => {
    const [error, code] = await broken((s) => s.send(Buffer.from("0c0000", "hex")));
    expect(error.message).toMatch(/^internal: the peer broke rule F2/);
    expect(code).toBe(1002);
  });

  test("with a text message is closed with 1003", async () => {
    const [error, code] = await broken((s) => s.send("hello"));
    expect(error.message).toMatch(/^internal: the peer broke rule L1/);
    expect(code).toBe(1003);
  });

  test("with a frame over the limit is closed with 1009", async () => {
    const [error, code] = await broken((s) => s.send(Buffer.concat([HELLO, Buffer.from("04018080808001", "hex")])));
    expect(error.message).toMatch(/^resource_exhausted: the peer broke rule F8/);
    expect(code).toBe(1009);
  });

  test("with a link message over the limit is closed with 1009", async () => {
    const [error, code] = await broken((s) => s.send(new Uint8Array(200_000)));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(code).toBe(1009);
  });

  test("by closing the link fails calls with the meaning of the code", async () => {
    for (const [code, status] of [
      [1000, Code.Canceled],
      [1001, Code.Unavailable],
      [1008, Code.PermissionDenied],
      [1011, Code.Internal],
      [1013, Code.Unavailable],
      [4007, Code.PermissionDenied],
      [4109, Code.ResourceExhausted],
    ] as const) {
      const server = await peer((s) => s.send(HELLO, () => s.close(code, "for a test")));
      const error = await failure(ping(open(server.url)).ping({}));
      expect(error.code).toBe(status);
      expect(error.message).toContain("for a test");
    }
  });

  test("with a malformed response fails only the call", async () => {
    const server = await peer((s) => {
      // Stream 1: END with key 0. Stream 3: a message that is no PingResponse. Stream 5: a header with an encoding.
      s.send(Buffer.concat([HELLO, unhex("0501020000"), unhex("140301ff"), unhex("0305060504677a6970")]));
    });
    const client = ping(open(server.url));
    const errors = await Promise.all([1, 2, 3].map(() => failure(client.ping({}))));
    expect(errors.map((e) => e.code)).toEqual([Code.Internal, Code.Internal, Code.Internal]);
    expect(errors[1]?.message).toContain("decode message");
    expect(errors[2]?.message).toContain("compressed with gzip");
  });

  test("with no response, or two, fails the call with INTERNAL", async () => {
    const server = await peer((s) => s.send(Buffer.concat([HELLO, unhex("050100"), unhex("040300140300")])));
    const client = ping(open(server.url));
    const [none, two] = await Promise.all([1, 2].map(() => failure(client.ping({}))));
    expect(none?.message).toBe("internal: Ping returned OK without a message");
    expect(two?.message).toBe("internal: Ping returned more than one message");
  });
});

test("an early response that is followed by a RESET is complete (rule S18)", async () => {
  const answer = (end: string) => Buffer.concat([HELLO, unhex("0401020805"), unhex("0401020807"), unhex(end), unhex("06010101")]);
  const never = async function* () {
    await new Promise(() => {});
    yield {};
  };
  for (const [end, code] of [
    ["0501020209", Code.FailedPrecondition],
    ["050100", undefined],
  ] as const) {
    const server = await fake(Fake.webSocket((socket) => socket.once("message", () => socket.send(answer(end)))));
    const got: bigint[] = [];
    const read = async () => {
      for await (const { sum } of ping(open(server.url)).cumSum(never())) got.push(sum);
    };
    if (code) expect((await failure(read())).code).toBe(code);
    else await read();
    expect(got).toEqual([5n, 7n]);
  }
});

describe("a URL of something else", () => {
  test("is named: an HTTP server", async () => {
    for (const [status, code] of [
      [200, Code.Unimplemented],
      [404, Code.Unimplemented],
      [503, Code.Unavailable],
    ] as const) {
      const server = await fake(
        Fake.http(
          (_, res) => res.writeHead(status).end(),
          () => `HTTP/1.1 ${status} X\r\nConnection: close\r\n\r\n`,
        ),
      );
      const error = await failure(ping(open(server.url)).ping({}));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`HTTP status ${status}`);
    }
  });

  test("is named: a WebSocket that selects no subprotocol, or another one", async () => {
    for (const subprotocol of [false, "chat"] as const) {
      const server = await fake(Fake.webSocket(() => {}, subprotocol));
      const error = await failure(ping(open(server.url)).ping({}));
      expect(error.code).toBe(Code.Unimplemented);
    }
  });

  test("is named: a server of another version, also where a script cannot see the answer", async () => {
    const headers = { "Parley-Versions": "parley.v2, parley.v3", Connection: "close" };
    const upgrade = () => "HTTP/1.1 400 Bad Request\r\nParley-Versions: parley.v2, parley.v3\r\nConnection: close\r\n\r\n";
    const server = await fake(Fake.http((_, res) => res.writeHead(426, headers).end(), upgrade));
    class Blind extends WebSocket {
      override on(event: string, listener: (...args: never[]) => void): this {
        return event === "unexpected-response" ? this : super.on(event, listener as never);
      }
    }
    for (const WebSocketOfTest of [WebSocket, Blind]) {
      const error = await failure(ping(open(server.url, { WebSocket: WebSocketOfTest as typeof WebSocket })).ping({}));
      expect(error.message).toBe(
        "unimplemented: no common version: the server speaks parley.v2, parley.v3, this client parley.v1",
      );
    }
  });
});

describe("handshake.json", () => {
  interface Case {
    name: string;
    side: string;
    status: number;
    selected?: string;
    versions?: string;
    outcome: "open" | "fail";
    caller?: number;
  }
  for (const c of vectors<Case>("handshake").filter((c) => c.side === "dialer")) {
    test(c.name, async () => {
      const { createHash } = await import("node:crypto");
      const headers = { ...(c.versions && { "Parley-Versions": c.versions }), Connection: "close" };
      const answer = (key: string) => {
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        const lines = [`HTTP/1.1 ${c.status} X`];
        if (c.status === 101) lines.push("Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`);
        else lines.push("Connection: close");
        if (c.selected) lines.push(`Sec-WebSocket-Protocol: ${c.selected}`);
        if (c.versions) lines.push(`Parley-Versions: ${c.versions}`);
        return `${lines.join("\r\n")}\r\n\r\n`;
      };
      const server = await fake(Fake.http((_, res) => res.writeHead(c.status === 101 ? 426 : c.status, headers).end(), answer));
      const token = c.selected?.startsWith("parley.bearer") ? "s3cret-token" : undefined;
      const error = await failure(ping(open(server.url, { credentials: () => token })).ping({}));
      // The link that opens is cut before a HELLO.
      expect(error.code).toBe(c.outcome === "open" ? Code.Unavailable : c.caller);
      expect(error.message.includes("link lost")).toBe(c.outcome === "open");
    });
  }
});
