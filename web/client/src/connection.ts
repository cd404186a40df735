import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { diagnose } from "./answer.js";
import { delayAfter, fullJitter, type Jitter, MOST_LONGER } from "./backoff.js";
import { Call, type CallOptions } from "./call.js";
import { ending } from "./closecode.js";
import { Code } from "./code.js";
import { type Codec, proto } from "./codec.js";
import { ParleyError } from "./error.js";
import type { Goaway } from "./goaway.js";
import { checkSettings, protocolDefaults, type Settings } from "./hello.js";
import { Line } from "./line.js";
import { dial, type WebSocketConstructor, type WebSocketLink } from "./link.js";
import { watchPage } from "./page.js";
import { type Implementation, Services } from "./service.js";
import type { Session } from "./session.js";
import type { Stream } from "./stream.js";

/**
 * How it stands with a connection:
 *
 * - `idle`: there is none, and none is wanted; a call connects.
 * - `connecting`: an attempt is under way.
 * - `ready`: calls can be made.
 * - `resuming`: the link was lost, and another is on the way. Calls in flight wait for it, and so do new ones.
 * - `failed`: the last attempt has failed; `error` says why. The next is made after a delay, by itself or, if the server
 *   has refused this client, with a call.
 * - `closed`: by `close`, for good.
 */
export type State = "idle" | "connecting" | "ready" | "resuming" | "failed" | "closed";

export interface ConnectionOptions {
  /**
   * Returns a bearer token. It is asked for each WebSocket, so a token that expires is fresh. The server finds it as an
   * Authorization header. Without it, the browser's cookies are what the server knows.
   */
  credentials?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** In place of the global one, which Node.js has from version 22 on. */
  WebSocket?: WebSocketConstructor | undefined;
  /** What messages are written with; `proto` if not given. */
  codec?: Codec | undefined;
  /** Limits and times that this end announces. */
  settings?: Partial<Settings> | undefined;
  /** How long an attempt to connect may take, in milliseconds; 10,000 if not given. */
  connectTimeoutMs?: number | undefined;
  /** Draws the delays between attempts; anything up to the bound if not given. */
  jitter?: Jitter | undefined;
  /** Told what a served method has thrown that is no ParleyError, which the caller is not; console.error if not given. */
  onServeError?: ((error: unknown, method: DescMethod) => void) | undefined;
}

const settings: Partial<Settings> = {
  maxFrame: 65_536,
  maxMessage: 4 << 20,
  maxHeader: 16_384,
  maxStreams: 100,
  initialWindow: 65_536,
  keepalive: 15_000,
  resumeWindow: 30_000,
  replayLimit: 1 << 20,
};

/** Makes a connection to a URL: ws, wss, http, https, or relative to the page. It connects with the first call. */
export const createConnection = (url: string | URL, options?: ConnectionOptions): Connection => new Connection(url, options);

/** A connection to a server, on which both ends call. It outlives its WebSockets, and the sessions on them. */
export class Connection {
  readonly url: string;
  readonly settings: Settings;
  readonly jitter: Jitter;
  /** The codec of calls. */
  readonly codec: Codec;
  /** Whether the page is put away; nothing is dialed then. */
  hidden = false;
  #options: ConnectionOptions;
  #state: State = "idle";
  #error: ParleyError | undefined;
  #line: Line | undefined;
  #lines = new Set<Line>();
  #links = new Set<WebSocketLink>();
  #failures = 0;
  #until = 0;
  #met = false;
  #listeners = new Set<(state: State) => void>();
  #services: Services;
  #closing = new AbortController();
  #unwatch: () => void;

  constructor(url: string | URL, options: ConnectionOptions = {}) {
    this.url = webSocketURL(url);
    this.settings = { ...protocolDefaults(), ...settings, ...options.settings };
    const wrong = checkSettings(this.settings);
    if (wrong) throw new ParleyError(`settings: ${wrong}`, Code.InvalidArgument);
    this.jitter = options.jitter ?? fullJitter;
    this.codec = options.codec ?? proto;
    this.#options = options;
    this.#services = new Services(this, options.onServeError);
    this.#unwatch = watchPage({
      wake: () => this.#each((line) => line.wake()),
      hide: () => {
        this.hidden = true;
        this.#each((line) => line.session.giveUp("the page is put away"));
      },
      show: () => {
        this.hidden = false;
        this.#each((line) => line.start(0));
      },
    });
  }

  get state(): State {
    return this.#state;
  }

  /** Why the connection is `failed` or `resuming`. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** Calls listener whenever the state has changed. It returns what ends that. */
  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connects without a call, so that the server can make some. It fails when the first attempt does. */
  async connect(): Promise<void> {
    if (this.#state === "idle" || this.#state === "failed") this.#begin(0);
    while (this.#state !== "ready") {
      if (this.#state === "failed" || this.#state === "closed" || (this.#state === "idle" && !this.hidden))
        throw this.#error ?? closed();
      await new Promise<void>((resolve) => {
        const end = this.subscribe(() => {
          end();
          resolve();
        });
      });
    }
  }

  /** Makes a call of any kind, message by message. Clients of `createClient` are made of this. */
  call<M extends DescMethod>(method: M, options?: CallOptions): Call<M> {
    return new Call(this, method, options);
  }

  /** Has calls of the server to a service answered. A service that is served twice is served by the latest. */
  serve<S extends DescService>(service: S, implementation: Implementation<S>): void {
    this.#services.add(service, implementation);
  }

  /** Ends the connection and all calls on it. The promise is settled within a second or so, when the WebSockets are closed. */
  async close(): Promise<void> {
    if (this.#state !== "closed") {
      this.#unwatch();
      this.#enter("closed", closed());
      this.#closing.abort(closed());
      this.#each((line) => line.session.close(1000, closed()));
    }
    await Promise.all([...this.#links].map((link) => link.done));
  }

  /** Opens a stream for a call: at once, or as soon as there is a connection. */
  open(header: (session: Session) => Uint8Array, waitForReady = false): Stream {
    if (this.#state === "closed") throw closed();
    const line = this.#line;
    if (!waitForReady && (line ? line.waits : Date.now() < this.#until) && this.#error) throw this.#error;
    if (!line) this.#begin(Math.max(0, this.#until - Date.now()));
    return (this.#line as Line).session.open(header);
  }

  #each(f: (line: Line) => void): void {
    for (const line of [...this.#lines]) f(line);
  }

  /** Has new calls made on a new session. */
  #begin(delay: number, url = this.url): void {
    if (this.#line) return this.#line.start(delay);
    const line = new Line(this, this.#owner, url, this.#failures);
    this.#line = line;
    this.#lines.add(line);
    line.error = this.#error;
    line.start(delay);
  }

  #owner = {
    dial: (url: string) => this.#dial(url),
    serve: (stream: Stream, header: Uint8Array, session: Session) => this.#services.accept(stream, header, session),
    changed: (line: Line) => {
      if (line === this.#line) this.#enter(line.state, line.error);
    },
    goaway: (line: Line, g: Goaway) => {
      if (g.status) return; // the end follows
      const current = line === this.#line;
      if (current) this.#line = undefined;
      line.session.retire();
      if (!current) return;
      this.#failures = line.fail();
      const pause = Math.min(g.delay, MOST_LONGER);
      this.#error = new ParleyError(`the server goes away${g.reason && `: ${g.reason}`}`, Code.Unavailable);
      this.#begin(Math.max(pause, delayAfter("at once", this.#failures - 1, this.jitter)), acceptable(this.url, g.address));
    },
    over: (line: Line, error: ParleyError, code: number) => {
      this.#lines.delete(line);
      if (line !== this.#line) return;
      this.#line = undefined;
      if (this.#state === "closed") return;
      this.#failures = line.fail();
      const { comeback } = ending(code);
      const delay = delayAfter(comeback, this.#failures - 1, this.jitter);
      this.#error = error;
      if (comeback !== "stays") return this.#begin(delay);
      const inOrder = ending(code).status === Code.Canceled;
      this.#until = inOrder ? 0 : Date.now() + delay;
      if (inOrder) this.#failures = 0;
      this.#enter(inOrder ? "idle" : "failed", error);
    },
  };

  #enter(state: State, error: ParleyError | undefined): void {
    this.#error = state === "ready" ? undefined : error;
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    this.#met ||= state === "ready";
    // A listener that throws harms nobody else.
    for (const listener of this.#listeners) queueMicrotask(() => listener(state));
  }

  async #dial(url: string): Promise<WebSocketLink> {
    const WebSocket = this.#options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!WebSocket)
      throw new ParleyError("there is no WebSocket here: the option WebSocket has to be given", Code.FailedPrecondition);
    const attempt = new AbortController();
    const { signal } = attempt;
    const stop = () => attempt.abort(closed());
    const ms = this.#options.connectTimeoutMs ?? 10_000;
    const timer = setTimeout(() => attempt.abort(new ParleyError(`no connection within ${ms} ms`, Code.Unavailable)), ms);
    this.#closing.signal.addEventListener("abort", stop);
    try {
      const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      const token = await Promise.race([aborted, this.#options.credentials?.()]);
      const link = await dial({ url, token, WebSocket, signal }).catch(async (e: unknown) => {
        const error = ParleyError.from(e, Code.Unavailable);
        const ask = !this.#met && error.code === Code.Unavailable && !signal.aborted;
        throw ask ? await diagnose(url, error, signal) : error;
      });
      this.#links.add(link);
      void link.done.then(() => this.#links.delete(link));
      return link;
    } finally {
      clearTimeout(timer);
      this.#closing.signal.removeEventListener("abort", stop);
    }
  }
}

const closed = () => new ParleyError("the connection is closed", Code.Canceled);

function webSocketURL(url: string | URL): string {
  let u: URL;
  try {
    u = new URL(url, globalThis.location?.href);
  } catch (e) {
    throw new ParleyError(`${url} is no URL`, Code.InvalidArgument, { cause: e });
  }
  u.protocol = u.protocol.replace(/^http/, "ws");
  u.hash = "";
  if (!/^wss?:$/.test(u.protocol)) throw new ParleyError(`${url} has to begin with ws, wss, http or https`, Code.InvalidArgument);
  return u.href;
}

/** The address to come back to, if it is where this end has dialed (PROTOCOL.md, section 15.6). */
function acceptable(url: string, address: string): string {
  try {
    const [from, to] = [new URL(url), new URL(address || url)];
    return from.protocol === to.protocol && from.host === to.host ? to.href : url;
  } catch {
    return url;
  }
}
