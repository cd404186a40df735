import { constants, gunzipSync, gzipSync } from "node:zlib";
import { type Codec, createClient, createConnection, gzip, json, proto, type ServingConnection } from "@parley-rpc/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { PingResponseSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";
import { until } from "../../testing/until.js";
import { parseEnd, parseHeader } from "../src/callwire.js";
import { Code } from "../src/code.js";
import { decode } from "../src/codec.js";
import type { Connection } from "../src/connection.js";
import { ParleyError } from "../src/error.js";
import type { SessionEvents } from "../src/events.js";
import { encodeFields, type Field } from "../src/fields.js";
import * as f from "../src/frame.js";
import { protocolDefaults } from "../src/hello.js";
import { Services } from "../src/service.js";
import { Session } from "../src/session.js";
import type { Message, Stream } from "../src/stream.js";
import { concat, utf8 } from "../src/varint.js";
import { SessionHarness, settle, Wire } from "./harness.js";

const long = "a text that repeats. ".repeat(5000);

describe("with a server in Go", () => {
  let server: Server;
  let conn: ServingConnection;
  let bytes = 0;

  /** Counts what is sent and received. */
  class Counted extends WebSocket {
    override send(data: Uint8Array): void {
      bytes += data.length;
      super.send(data);
    }
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      this.on("message", (data: ArrayBuffer) => {
        bytes += data.byteLength;
      });
    }
  }

  beforeAll(async () => {
    server = await Server.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    bytes = 0;
    conn = createConnection(server.url(), { WebSocket: Counted as never });
  });
  afterEach(() => conn.close());

  test.each([
    ["proto", gzip()],
    ["json", gzip(json)],
  ])("messages in %s are compressed in both directions", async (_, codec) => {
    const ping = createClient(PingService, conn);
    expect((await ping.ping({ text: long }, { codec })).text).toBe(long);
    expect(bytes).toBeLessThan(long.length / 20);
    expect((await ping.ping({ text: long })).text).toBe(long);
    expect(bytes).toBeGreaterThan(2 * long.length); // only where it is chosen
  });

  test("calls of all kinds work, whether their messages are worth it or not", async () => {
    const codec = gzip();
    const ping = createClient(PingService, conn);
    async function* numbers() {
      for (let n = 1n; n <= 100n; n++) yield { number: n };
    }
    for (const size of [0, 1, 511, 512, 513, 3_000_000]) {
      const text = "x".repeat(size);
      expect((await ping.ping({ text }, { codec })).text === text).toBe(true);
    }
    const noise = Array.from({ length: 5000 }, () => String.fromCharCode(32 + Math.random() * 90)).join("");
    expect((await ping.ping({ text: noise }, { codec })).text).toBe(noise);
    let last = 0n;
    for await (const { number } of ping.countUp({ to: 500n }, { codec })) expect(number).toBe(++last);
    expect(last).toBe(500n);
    expect((await ping.sum(numbers(), { codec })).sum).toBe(5050n);
    const sums: bigint[] = [];
    for await (const { sum } of ping.cumSum(numbers(), { codec })) sums.push(sum);
    expect(sums.at(-1)).toBe(5050n);
  });

  test("a message that the server inflates beyond its limit fails its call", async () => {
    const ping = createClient(PingService, conn);
    const error = await ping.ping({ text: "x".repeat(64 << 20) }, { codec: gzip() }).catch((e) => e);
    expect([error.code, (await ping.ping({ text: "next" })).text]).toEqual([Code.ResourceExhausted, "next"]);
  });

  test("a call that is canceled while its message is compressed is over at once", async () => {
    const controller = new AbortController();
    const call = conn.call(PingService.method.ping, { codec: gzip(), signal: controller.signal });
    const sent = call.send({ text: long }, true);
    controller.abort(new ParleyError("enough", Code.Canceled));
    await expect(call.next()).rejects.toMatchObject({ code: Code.Canceled });
    await expect(sent).rejects.toMatchObject({ rawMessage: "enough" });
  });
});

test("a platform without CompressionStream sends messages as they are", () => {
  vi.stubGlobal("CompressionStream", undefined);
  try {
    expect([gzip(), gzip(json)]).toEqual([proto, json]);
  } finally {
    vi.unstubAllGlobals();
  }
});

describe("a stream", () => {
  let peer: SessionHarness;
  let stream: Stream;
  const limit = 100_000;

  beforeEach(async () => {
    peer = new SessionHarness({ maxMessage: limit });
    await peer.receive(f.encodeFrame(f.HELLO, 0, encodeFields([[10, 1 << 20]])));
    stream = peer.session.open(() => new Uint8Array());
    gzip().attach?.(stream, "gzip");
    await settle();
    peer.wire.takeFrames();
  });
  afterEach(() => peer.end());

  /** Delivers a message, in pieces. */
  const data = async (bytes: Uint8Array, flags = 0) => {
    const size = 16_000;
    for (let at = 0; !at || at < bytes.length; at += size) {
      const more = at + size < bytes.length;
      const head = f.DATA | (more ? (flags & f.FLAG_MARK) | f.FLAG_MORE : flags);
      await peer.receive(f.encodeFrame(head, stream.id, bytes.subarray(at, at + size)));
    }
  };

  /** The code of the error with which reading a message fails. */
  const fault = async () => {
    const message = await stream.next();
    try {
      return message?.bytes.length;
    } catch (e) {
      return (e as ParleyError).code;
    }
  };

  test("sends messages in order, the end behind them, and marks those that are compressed", async () => {
    const large = utf8("x".repeat(5000));
    void stream.send(large);
    void stream.send(utf8("small"));
    void stream.send(large);
    stream.end();
    await until("all is sent", () => peer.wire.frames.length === 4);
    const [first, second, third, end] = peer.wire.frames;
    expect([first, second, third, end].map((x) => x?.head)).toEqual([f.DATA | f.FLAG_MARK, f.DATA, f.DATA | f.FLAG_MARK, f.END]);
    expect(gunzipSync(first?.payload as Uint8Array)).toEqual(Buffer.from(large));
    expect(second?.payload).toEqual(utf8("small"));
  });

  test("sends a message that does not become smaller as it is", async () => {
    const noise = crypto.getRandomValues(new Uint8Array(2000));
    await stream.send(noise);
    expect(peer.wire.frames.map((x) => [x.head, x.payload])).toEqual([[f.DATA, noise]]);
  });

  test("gives messages in order, however long they take to inflate", async () => {
    const order: number[] = [];
    const reads = [0, 1, 2].map(async (i) => {
      const message = await stream.next();
      order.push(i);
      return message?.bytes.length;
    });
    await data(gzipSync(new Uint8Array(limit)), f.FLAG_MARK);
    await data(utf8("plain"));
    await data(gzipSync(utf8("b")), f.FLAG_MARK | f.FLAG_END);
    expect(await Promise.all(reads)).toEqual([limit, 5, 1]);
    expect(order).toEqual([0, 1, 2]);
    expect(await stream.next()).toBeUndefined();
  });

  test.each([
    ["inflates beyond the limit", () => gzipSync(new Uint8Array(limit + 1)), Code.ResourceExhausted],
    ["is a bomb", () => gzipSync(new Uint8Array(64 << 20)), Code.ResourceExhausted],
    ["is not gzip", () => utf8("no gzip at all"), Code.Internal],
    ["is empty", () => new Uint8Array(), Code.Internal],
    ["is cut off", () => gzipSync(utf8(long)).subarray(0, 50), Code.Internal],
    ["has a wrong checksum", () => gzipSync(utf8(long)).map((b, i, all) => (i === all.length - 6 ? b ^ 1 : b)), Code.Internal],
    ["has something behind it", () => Buffer.concat([gzipSync(utf8("a")), utf8("behind")]), Code.Internal],
  ])("fails to read a message that %s, and only that", async (_, make, code) => {
    await data(make(), f.FLAG_MARK);
    await data(gzipSync(utf8("next")), f.FLAG_MARK);
    expect(await fault()).toBe(code);
    expect(await fault()).toBe(4);
  });

  test("stops a bomb soon after the limit", async () => {
    let inflated = 0;
    const Real = DecompressionStream;
    const counting = class {
      readonly writable: WritableStream;
      readonly readable: ReadableStream;
      constructor() {
        const real = new Real("gzip");
        const count = (chunk: Uint8Array, out: TransformStreamDefaultController) => {
          inflated += chunk.length;
          out.enqueue(chunk);
        };
        this.writable = real.writable;
        this.readable = real.readable.pipeThrough(new TransformStream({ transform: count }));
      }
    };
    vi.stubGlobal("DecompressionStream", counting);
    try {
      await data(gzipSync(new Uint8Array(64 << 20), { level: constants.Z_BEST_COMPRESSION }), f.FLAG_MARK);
      expect(await fault()).toBe(Code.ResourceExhausted);
      expect(inflated).toBeLessThan(limit + (9 << 20));
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("gives back the credit of what is read, not before", async () => {
    await data(gzipSync(new Uint8Array(limit)), f.FLAG_MARK);
    expect(peer.wire.takeFrames()).toEqual([]);
    expect(await fault()).toBe(limit);
    expect(stream.unread).toBe(false);
  });

  test("that is canceled while a message is inflated does not give it", async () => {
    await data(gzipSync(new Uint8Array(limit)), f.FLAG_MARK);
    const read = stream.next();
    stream.reset(f.CANCEL, new ParleyError("enough", Code.Canceled));
    await expect(read).rejects.toMatchObject({ rawMessage: "enough" });
  });

  test("that the peer has ended gives what has arrived, even if this end has left", async () => {
    await data(gzipSync(utf8("last")), f.FLAG_MARK | f.FLAG_END);
    const read = stream.next();
    stream.reset(f.CANCEL, new ParleyError("enough", Code.Canceled));
    expect((await read)?.bytes).toEqual(utf8("last"));
  });
});

describe("a served call", () => {
  const served = (codec = gzip(json)) => {
    const wire = new Wire();
    const services = new Services({ codec, settings } as unknown as Connection);
    services.add(PingService, { ping: (request: { text: string }) => ({ text: request.text }) });
    const session = new Session(settings, {
      ready: () => {},
      stream: (stream: Stream, header: Uint8Array) => services.accept(stream, header),
    } as unknown as SessionEvents);
    session.attach(wire);
    const call = async (open: Field[], message: Uint8Array, flags = 0) => {
      const path = utf8("parley.ping.v1.PingService/Ping");
      const block = encodeFields([[1, path], [3, utf8("json")], ...open]);
      const frames = [f.encodeFrame(f.OPEN, 2, block), f.encodeFrame(f.DATA | flags | f.FLAG_END, 2, message)];
      session.receive(concat([f.encodeFrame(f.HELLO, 0, encodeFields([[10, 65_536]])), ...frames]).buffer);
      const ended = (head: number) => (head & 15) === f.END || head === f.RESET || (head & f.FLAG_END) !== 0;
      await until("the call ends", () => wire.frames.some(({ head }) => ended(head)));
      return wire.frames.filter(({ id, name }) => id === 2 && name !== "WINDOW");
    };
    return { call };
  };
  const settings = { ...protocolDefaults(), initialWindow: 65_536 };
  const short = long.slice(0, 20_000);
  const request = utf8(JSON.stringify({ text: short }));
  const text = (frame: { payload: Uint8Array } | undefined) =>
    JSON.parse(gunzipSync(frame?.payload as Uint8Array).toString()).text;

  test("is answered with the compression of its caller", async () => {
    const [header, response] = await served().call([[5, utf8("gzip")]], gzipSync(request), f.FLAG_MARK);
    expect(parseHeader(header?.payload as Uint8Array).encoding).toBe("gzip");
    expect([response?.head, text(response)]).toEqual([f.DATA | f.FLAG_MARK | f.FLAG_END, short]);
  });

  test("is answered with a compression that its caller accepts", async () => {
    const small = utf8(JSON.stringify({ text: "x".repeat(600) }));
    const [header, response] = await served().call([[7, utf8("br,gzip")]], small);
    expect(parseHeader(header?.payload as Uint8Array).encoding).toBe("gzip");
    expect([response?.head, text(response)]).toEqual([f.DATA | f.FLAG_MARK | f.FLAG_END, "x".repeat(600)]);
  });

  test.each([
    ["is marked without an announcement", [], gzipSync(request), gzip(json), Code.Internal, "without agreement"],
    [
      "is a bomb",
      [[5, utf8("gzip")]],
      gzipSync(new Uint8Array(5 << 20)),
      gzip(json),
      Code.ResourceExhausted,
      "inflates to more than",
    ],
    [
      "is compressed otherwise",
      [[5, utf8("br")]],
      request.subarray(0, 9),
      gzip(json),
      Code.Unimplemented,
      "unknown compression br: use gzip",
    ],
    ["has gzip without agreement", [[5, utf8("gzip")]], gzipSync(request), json, Code.Unimplemented, "send uncompressed"],
  ] as [string, Field[], Uint8Array, Codec, Code, string][])(
    "whose message %s has an error",
    async (_, open, message, codec, code, says) => {
      const frames = await served(codec).call(open, message, f.FLAG_MARK);
      const end = parseEnd(frames.find(({ head }) => head === f.END)?.payload as Uint8Array);
      expect(end).toMatchObject({ status: code, message: expect.stringContaining(says) });
    },
  );
});

test("a response that is marked without an announcement is an error", async () => {
  const peer = new SessionHarness();
  await peer.receive(f.encodeFrame(f.HELLO, 0, encodeFields([[10, 65_536]])));
  const stream = peer.session.open(() => new Uint8Array());
  gzip().attach?.(stream);
  await settle();
  await peer.receive(f.encodeFrame(f.DATA | f.FLAG_MARK, stream.id, gzipSync(utf8("a"))));
  const message = (await stream.next()) as Message;
  expect(() => decode(proto, PingResponseSchema, message)).toThrow("without agreement");
  peer.end();
});
