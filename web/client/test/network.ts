import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, createConnection, ParleyError, type ServingConnection, type ServingOptions } from "@parley-rpc/client";
import { expect, vi } from "vitest";
import { PingRequestSchema, PingResponseSchema, PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { encodeFields, type Field, lookup, parseFields } from "../src/fields.js";
import * as f from "../src/frame.js";
import type { WebSocketConstructor } from "../src/link.js";
import { Reader, utf8 } from "../src/varint.js";

export const NOTICE = 2 ** 53 - 1;
const names = ["", "HELLO", "OPEN", "HEADER", "DATA", "END", "RESET", "WINDOW", "ACK", "PING", "PONG", "GOAWAY"];

/** How a URL responds to a WebSocket request: with a server, an HTTP status with Retry-After, or not at all. */
export type Endpoint = TestServer | { status: number; retryAfter?: string } | undefined;
type Endpoints = Endpoint | (() => Endpoint);

/** WebSockets in memory, whose servers a test scripts. Everything happens in microtasks, so it is deterministic. */
export class Network {
  dials: { url: string; at: number; protocols: string[] }[] = [];
  /** How long an attempt takes, in milliseconds. */
  dialMs = 0;
  #answers = new Map<string, Endpoints>();

  answer(url: string, answer: Endpoints): void {
    this.#answers.set(url, answer);
  }

  /** Starts a new server at the URL. */
  serve(url: string, name = url): TestServer {
    const server = new TestServer(name);
    this.answer(url, server);
    return server;
  }

  /** Returns the URLs that were dialed since the last call. */
  take(): string[] {
    return this.dials.splice(0).map((d) => d.url);
  }

  get WebSocket(): WebSocketConstructor {
    const network = this;
    return class extends Socket {
      constructor(url: string, protocols: string[]) {
        super();
        network.dials.push({ url, at: Date.now(), protocols });
        const answer = () => {
          const answers = network.#answers.get(url);
          this.answered(typeof answers === "function" ? answers() : answers);
        };
        if (network.dialMs) setTimeout(answer, network.dialMs);
        else queueMicrotask(answer);
      }
    };
  }
}

type Listener = (event: object) => void;

/** The client's end of a WebSocket, with the interface of the package ws. */
class Socket {
  binaryType = "";
  protocol = "parley.v1";
  bufferedAmount = 0;
  peer: Peer | undefined;
  #listeners: [string, Listener][] = [];
  #refused: ((req: object, res: object) => void) | undefined;
  #closed = false;

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  on(_event: string, f: (req: object, res: object) => void): void {
    this.#refused = f;
  }

  emit(type: string, event: object = {}): void {
    for (const [t, listener] of this.#listeners) if (t === type) listener(event);
  }

  answered(answer: Endpoint): void {
    if (this.#closed) return;
    if (answer instanceof TestServer) {
      this.peer = new Peer(this, answer);
      answer.peers.push(this.peer);
      return this.emit("open");
    }
    this.#closed = true;
    if (answer) {
      const headers = answer.retryAfter ? { "retry-after": answer.retryAfter } : {};
      this.#refused?.({ destroy: () => {} }, { statusCode: answer.status, headers });
    }
    this.emit("error", { message: "connection refused" });
    this.emit("close", { code: 1006, reason: "" });
  }

  send(bytes: Uint8Array): void {
    const copy = bytes.slice();
    if (!this.#closed) queueMicrotask(() => this.peer?.receive(copy));
  }

  /** Closes it from the client's side. */
  close(code = 1005, reason = ""): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => {
      this.peer?.ended(code);
      this.emit("close", { code, reason });
    });
  }

  /** Closes it from the server's side. */
  end(code: number, reason = ""): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.emit("close", { code, reason }));
  }
}

/** A server in memory: it sends HELLO, resumes known sessions, and answers pings with its name. */
export class TestServer {
  peers: Peer[] = [];
  /** The sessions that can be resumed, by id. */
  sessions = new Map<string, { received: number }>();
  /** Whether calls are answered. */
  responds = true;
  sendsHello = true;
  /** How long a response takes, in milliseconds; undefined: it is immediate. */
  responseMs: (() => number) | undefined;
  /** Called after each HELLO exchange. */
  onHello: ((peer: Peer) => void) | undefined;
  /** Replaces the response to a HELLO. */
  handleHello: ((peer: Peer) => void) | undefined;

  constructor(readonly name: string) {}

  /** The latest link. */
  get peer(): Peer {
    return this.peers.at(-1) as Peer;
  }
}

let ids = 0;

function after(ms: number | undefined, f: () => void): void {
  if (ms) setTimeout(f, ms);
  else f();
}

/** The server's end of a link. */
export class Peer {
  /** The received frames: "OPEN 1", "GOAWAY". */
  frames: string[] = [];
  hello = new Map<number, number | Uint8Array>();
  /** The calls without a response: the stream's id and the text of the request. */
  calls: { id: number; text: string }[] = [];
  /** The close code of the client. */
  closed: number | undefined;
  /** Whether the link has ended. */
  linkEnded = false;
  id = "";
  lastStream = 0;
  goaways: number[] = [];

  constructor(
    readonly socket: Socket,
    private server: TestServer,
  ) {}

  receive(bytes: Uint8Array): void {
    const r = new Reader(bytes);
    while (!r.done) {
      const frame = f.readFrame(r, 1 << 20);
      if (!frame) continue;
      this.frames.push(`${names[frame.type]}${frame.id ? ` ${frame.id}` : ""}`);
      const session = this.server.sessions.get(this.id);
      if (session && f.isSequenced(frame.type)) session.received++;
      this.#handle(frame);
    }
  }

  #handle({ type, id, payload }: f.Frame): void {
    if (type === f.HELLO) {
      this.hello = new Map(parseFields(payload, []));
      if (this.server.handleHello) this.server.handleHello(this);
      else if (this.server.sendsHello) this.sendHello();
    } else if (type === f.OPEN) this.lastStream = id;
    else if (type === f.GOAWAY) this.goaways.push((lookup(parseFields(payload, []))(2) as number) ?? 0);
    else if (type === f.PING) this.send(f.PONG, 0, payload);
    else if (type === f.DATA) {
      this.calls.push({ id, text: textOf(payload) });
      if (this.server.responds) after(this.server.responseMs?.(), () => this.answer(id));
    }
  }

  /** Answers a HELLO: resumes a known session or starts one. */
  sendHello(more: Field[] = []): void {
    const asked = this.hello.get(1) as Uint8Array | undefined;
    const known = asked && this.server.sessions.get(`${asked}`);
    const id = known ? asked : new Uint8Array(16).fill(++ids);
    this.id = `${id}`;
    if (!known) this.server.sessions.set(this.id, { received: 0 });
    const fields: Field[] = [[14, 30_000], [1, id], [3, new Uint8Array(32).fill(++ids)], ...more];
    if (asked) fields.push([18, known?.received ?? 0], [20, known ? 1 : 0]);
    this.send(f.HELLO, 0, encodeFields(fields));
    this.server.onHello?.(this);
  }

  send(head: number, id: number, payload: Uint8Array = new Uint8Array()): void {
    const frame = f.encodeFrame(head, id, payload);
    queueMicrotask(() => this.socket.emit("message", { data: frame.buffer }));
  }

  /** Answers all calls, or one. */
  answer(which?: number): void {
    const now = this.calls.filter(({ id }) => !which || id === which);
    this.calls = this.calls.filter((call) => !now.includes(call));
    for (const { id, text } of now) {
      this.send(f.DATA, id, toBinary(PingResponseSchema, create(PingResponseSchema, { text: text || this.server.name })));
      this.send(f.END, id);
    }
  }

  /** Calls Ping at the client. */
  ping(id: number): void {
    this.send(f.OPEN, id, encodeFields([[1, utf8("parley.ping.v1.PingService/Ping")]]));
    this.send(f.DATA | f.FLAG_END, id);
  }

  goaway(lastStream: number, more: { status?: number; delay?: number; address?: string } = {}): void {
    const fields: Field[] = [[1, utf8("deploy")]];
    if (lastStream) fields.push([2, lastStream]);
    if (more.status) fields.push([4, more.status]);
    if (more.delay) fields.push([6, more.delay]);
    if (more.address) fields.push([3, utf8(more.address)]);
    this.send(f.GOAWAY, 0, encodeFields(fields));
  }

  /** Sends a notice of the drain. */
  notice(delay = 0, address = ""): void {
    this.goaway(NOTICE, { delay, address });
  }

  reset(id: number, code: number): void {
    this.send(f.RESET, id, f.encodeNumber(code));
  }

  /** Closes the link with a code, or breaks it. */
  close(code = 1006, reason = ""): void {
    this.linkEnded = true;
    this.socket.end(code, reason);
  }

  /** Fails in the middle of a WebSocket frame, as the package ws reports it. */
  garble(): void {
    this.socket.emit("error", { message: "Invalid WebSocket frame: RSV1 must be clear" });
    this.socket.end(1002);
  }

  ended(code: number): void {
    this.closed = code;
    this.linkEnded = true;
  }
}

/** Returns the text of a ping; the text of another request does not matter. */
function textOf(payload: Uint8Array): string {
  try {
    return fromBinary(PingRequestSchema, payload).text;
  } catch {
    return "";
  }
}

/** Runs everything that needs no time. */
export const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** A connection over a network, with a record of its states. */
export class Client {
  readonly conn: ServingConnection;
  states: string[] = [];
  /** All errors that any client saw. */
  static errors: ParleyError[] = [];

  constructor(network: Network, urls: string | string[], options: ServingOptions = {}) {
    this.conn = createConnection(urls, { WebSocket: network.WebSocket, jitter: (bound) => bound, ...options });
    this.conn.subscribe((state) => {
      this.states.push(state);
      if (this.conn.error) Client.errors.push(this.conn.error);
    });
  }

  /** Makes a call and returns its response, or its error as text. */
  async ping(text = "", waitForReady = false): Promise<string> {
    try {
      return (await createClient(PingService, this.conn).ping({ text }, { waitForReady })).text;
    } catch (e) {
      expect(e).toBeInstanceOf(ParleyError);
      Client.errors.push(e as ParleyError);
      return (e as ParleyError).message;
    }
  }

  /** Returns the states since the last call. */
  take(): string[] {
    return this.states.splice(0);
  }
}

/** Checks that no error of a test says undefined. */
export function checkErrors(): void {
  for (const e of Client.errors.splice(0)) {
    expect(e.message).not.toContain("undefined");
    expect(e.rawMessage).not.toBe("");
    expect(e.code).toBeGreaterThanOrEqual(1);
    expect(e.code).toBeLessThanOrEqual(16);
  }
}
