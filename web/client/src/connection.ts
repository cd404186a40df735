import type { DescMethod } from "@bufbuild/protobuf";
import { diagnose } from "./answer.js";
import { delayAfter, fullJitter, MOST_LONGER } from "./backoff.js";
import { Call, type CallOptions } from "./call.js";
import { type Comeback, ending } from "./closecode.js";
import { Code } from "./code.js";
import { type Codec, proto } from "./codec.js";
import { ParleyError } from "./error.js";
import { encodeFields } from "./fields.js";
import type { Goaway } from "./goaway.js";
import { checkSettings, protocolDefaults, type Settings } from "./hello.js";
import { Line } from "./line.js";
import { dial, type WebSocketConstructor, type WebSocketLink } from "./link.js";
import { type ConnectionOptions, standardSettings } from "./options.js";
import { watchPage } from "./page.js";
import type { Session } from "./session.js";
import type { Stream } from "./stream.js";
import { utf8 } from "./varint.js";

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

/**
 * A connection to a server, on which calls are made. It outlives its WebSockets, and the sessions on them. Its URL begins with
 * ws, wss, http or https, or is relative to the page. It connects with the first call.
 */
export class Connection {
  readonly url: string;
  readonly settings: Settings;
  /** The codec of calls. */
  readonly codec: Codec;
  /**
   * Whether the page is put away; nothing is dialed then.
   * @internal
   */
  hidden = false;
  #options: ConnectionOptions;
  #state: State = "idle";
  #error: ParleyError | undefined;
  #line: Line | undefined; // new calls are made on it
  #lines = new Set<Line>();
  #links = new Set<WebSocketLink>();
  #failures = 0; // in a row
  #until = 0; // no attempt before: the server has refused this client
  #met = false;
  #listeners = new Set<(state: State) => void>();
  #closing = new AbortController();
  #unwatch: () => void;

  constructor(url: string | URL, options: ConnectionOptions = {}) {
    this.url = webSocketURL(url);
    this.settings = { ...protocolDefaults(), ...standardSettings, ...options.settings };
    const wrong = checkSettings(this.settings);
    if (wrong) throw new ParleyError(`settings: ${wrong[1]}`, Code.InvalidArgument);
    this.codec = options.codec ?? proto;
    this.#options = options;
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
    for (;;) {
      if (this.#state === "ready") return;
      if (this.#state === "failed" || this.#state === "closed") throw this.#error;
      await new Promise<void>((resolve) => {
        const end = this.subscribe(() => resolve(void end()));
      });
    }
  }

  /** Makes a call of any kind, message by message. Clients of `createClient` are made of this. */
  call<M extends DescMethod>(method: M, options?: CallOptions): Call<M> {
    return new Call(this, method, options);
  }

  /** Ends the connection and all calls on it. The promise is settled within a second or so, when the WebSockets are closed. */
  async close(): Promise<void> {
    if (this.#state !== "closed") {
      const error = new ParleyError("the connection is closed", Code.Canceled);
      this.#unwatch();
      this.#enter("closed", error);
      this.#closing.abort(error);
      this.#each((line) => line.session.close(1000, error));
    }
    await Promise.all([...this.#links].map((link) => link.done));
  }

  /**
   * Opens a stream for a call: at once, or as soon as there is a connection.
   * @internal
   */
  open(header: (session: Session) => Uint8Array, waitForReady = false): Stream {
    const wait = this.#until - Date.now();
    const refuses = this.#line ? this.#line.state === "failed" : wait > 0;
    if (this.#state === "closed" || (refuses && !waitForReady)) throw this.#error;
    return (this.#line ?? this.#begin(wait)).session.open(header);
  }

  #each(f: (line: Line) => void): void {
    for (const line of [...this.#lines]) f(line);
  }

  /** Has new calls made on a new session, unless there is one, which then dials now. */
  #begin(delay: number, url = this.url): Line {
    const line = (this.#line ??= new Line(this, url));
    this.#lines.add(line);
    line.error ??= this.#error;
    line.start(delay);
    return line;
  }

  /**
   * Counts a failure, or the first after a success, and returns how long to wait.
   * @internal
   */
  delay(comeback: Comeback, lasted: boolean): number {
    if (lasted) this.#failures = 0;
    return delayAfter(comeback, this.#failures++, this.#options.jitter ?? fullJitter);
  }

  /** @internal */
  changed(line: Line): void {
    if (line === this.#line) this.#enter(line.state, line.error);
  }

  /**
   * Has the session of a server that goes away end with its calls, and another begin.
   * @internal
   */
  retire(line: Line, g: Goaway): void {
    const current = line === this.#line;
    if (current) this.#line = undefined;
    line.session.retire();
    if (current) this.#begin(Math.max(Math.min(g.delay, MOST_LONGER), line.delay("at once")), acceptable(this.url, g.address));
  }

  /** @internal */
  over(line: Line, error: ParleyError, code: number): void {
    this.#lines.delete(line);
    if (line !== this.#line) return;
    this.#line = undefined;
    if (this.#state === "closed") return;
    const { comeback, status } = ending(code);
    const delay = line.delay(comeback);
    this.#error = error;
    if (comeback !== "stays") this.#begin(delay);
    else if (status === Code.Canceled) {
      this.#failures = this.#until = 0;
      this.#enter("idle", error);
    } else {
      this.#until = Date.now() + delay;
      this.#enter("failed", error);
    }
  }

  /**
   * Answers a call of the server.
   * @internal
   */
  accept(stream: Stream, _header: Uint8Array): void {
    stream.end(
      encodeFields([
        [2, Code.Unimplemented],
        [1, utf8("nothing is served here")],
      ]),
    );
  }

  #enter(state: State, error: ParleyError | undefined): void {
    if (this.#state === "closed") return;
    this.#error = state === "ready" ? undefined : error;
    this.#met ||= state === "ready";
    if (state === this.#state) return;
    this.#state = state;
    // A listener that throws harms nobody else.
    for (const listener of this.#listeners) queueMicrotask(() => listener(state));
  }

  /** @internal */
  async dial(url: string): Promise<WebSocketLink> {
    const {
      WebSocket = globalThis.WebSocket as WebSocketConstructor | undefined,
      connectTimeoutMs = 10_000,
      credentials,
    } = this.#options;
    if (!WebSocket) throw new ParleyError("there is no WebSocket here: give the option WebSocket", Code.FailedPrecondition);
    const attempt = new AbortController();
    const { signal } = attempt;
    const stop = () => attempt.abort(this.#error);
    const late = new ParleyError(`no connection within ${connectTimeoutMs} ms`, Code.Unavailable);
    const timer = setTimeout(() => attempt.abort(late), connectTimeoutMs);
    this.#closing.signal.addEventListener("abort", stop);
    try {
      const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      const token = await Promise.race([aborted, credentials?.()]);
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

function webSocketURL(url: string | URL): string {
  const wrong = (cause?: unknown) =>
    new ParleyError(`${url} is no URL that begins with ws, wss, http or https`, Code.InvalidArgument, { cause });
  let u: URL;
  try {
    u = new URL(url, globalThis.location?.href);
  } catch (e) {
    throw wrong(e);
  }
  u.protocol = u.protocol.replace("http", "ws");
  u.hash = "";
  if (!/^wss?:$/.test(u.protocol)) throw wrong();
  return u.href;
}

/** The address to come back to, if it is where this end has dialed (PROTOCOL.md, section 15.6). */
function acceptable(url: string, address: string): string {
  try {
    const [from, to] = [new URL(url), new URL(address)];
    return from.protocol === to.protocol && from.host === to.host ? to.href : url;
  } catch {
    return url;
  }
}
