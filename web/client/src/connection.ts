import type { DescMethod } from "@bufbuild/protobuf";
import { delayAfter, fullJitter } from "./backoff.js";
import type { Call, CallOptions } from "./call.js";
import { ClientCall } from "./clientcall.js";
import type { ClientSession } from "./clientsession.js";
import type { Reconnect } from "./closecode.js";
import { type Codec, proto } from "./codec.js";
import { ParleyError } from "./error.js";
import type { DialedLink } from "./events.js";
import type { Dialer } from "./fallbackhook.js";
import { encodeFields } from "./fields.js";
import { diagnose } from "./handshake.js";
import { checkSettings, clientDefaults, type Settings } from "./hello.js";
import { dial, type WebSocketConstructor } from "./link.js";
import type { ConnectionOptions } from "./options.js";
import { watchPage } from "./page.js";
import type { Session } from "./session.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import { SubConn } from "./subconn.js";
import { Timer } from "./timer.js";
import { webSocketURL } from "./url.js";
import { utf8 } from "./varint.js";

/**
 * The state of a connection:
 *
 * - `idle`: there is no session; a call connects.
 * - `connecting`: an attempt is in progress or imminent.
 * - `fallback`: WebSockets do not get through, see `error`. Unary and server-streaming calls can be made, by the option
 *   `fallback`.
 * - `ready`: calls can be made.
 * - `resuming`: the link is lost, and another one is being made. Calls wait for it.
 * - `failed`: the last attempt failed, see `error`. The next one follows after a delay or, if the server has rejected this
 *   client, with a call.
 * - `closed`: `close` was called, or the page was unloaded.
 *
 * With several servers, it is the state of the one that is closest to `ready`.
 */
export type State = "idle" | "connecting" | "ready" | "resuming" | "fallback" | "failed" | "closed";

/** The states, from the farthest from `ready` to the closest. */
const ranks: readonly State[] = ["idle", "failed", "connecting", "resuming", "fallback", "ready"];
const rank = ({ state }: { state: State }) => ranks.indexOf(state);

/**
 * A connection to a server, or to several equivalent ones. It survives its WebSockets and sessions. A URL starts with ws, wss,
 * http or https, or is relative to the page. The connection connects at the first call.
 */
export class Connection {
  /** The URLs as given. */
  declare readonly urls: readonly string[];
  declare readonly settings: Settings;
  /** The default codec of calls. */
  declare readonly codec: Codec;
  /** @internal */
  declare readonly options: ConnectionOptions;
  /** @internal */
  declare readonly fallback: Dialer | undefined;
  /**
   * Whether the browser has suspended the page. Nothing is dialed then.
   * @internal
   */
  hidden = false;
  #state: State = "idle";
  #error: ParleyError | undefined;
  #resolved: string[] = []; // urls, resolved at the first use
  #subconns: SubConn[] = [];
  #picks = 0;
  #links = new Set<DialedLink>();
  #everReady = false;
  #listeners = new Set<(state: State) => void>();
  #closing = new AbortController();

  constructor(urls: string | URL | readonly (string | URL)[], options: ConnectionOptions = {}) {
    this.urls = [urls].flat().map(String);
    this.settings = { ...clientDefaults(), ...options.settings };
    const violation = checkSettings(this.settings);
    if (violation) throw new ParleyError(`settings: ${violation[1]}`, Code.InvalidArgument);
    this.options = options;
    this.codec = this.withRegistry(options.codec ?? proto);
    this.fallback = options.fallback?.attach(this);
    const events = {
      wake: () => this.#each((s) => s.wake()),
      hide: () => {
        this.hidden = true;
        this.#each((s) => s.session.dropLink("page suspended"));
      },
      show: () => {
        this.hidden = false;
        this.#each((s) => s.start(0));
      },
      unload: () => this.#end("page unloaded", (s, error) => s.session.goAway(error)),
    };
    watchPage(events, this.#closing.signal);
  }

  /** The first URL as given. */
  get url(): string {
    return this.urls[0] ?? "";
  }

  get state(): State {
    return this.#state;
  }

  /** Why the connection is `failed`, `resuming` or `fallback`. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** Calls listener after each change of state. It returns a function that unsubscribes. */
  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connects without a call, so that the server can make calls. It fails if the first attempt fails. */
  async connect(): Promise<void> {
    if (this.#state !== "closed") {
      this.#createSubConns();
      for (const sub of this.#subconns) sub.connectNow();
    }
    for (;;) {
      if (rank(this) > 3) return; // fallback or ready
      if (this.#state === "failed" || this.#state === "closed") throw this.#error;
      await new Promise<void>((resolve) => {
        const end = this.subscribe(() => resolve(void end()));
      });
    }
  }

  /** Starts a call of any kind. Clients of `createClient` use it. */
  call<M extends DescMethod>(method: M, options: CallOptions = {}): Call<M> {
    return new ClientCall(this, method, options);
  }

  /**
   * Closes the connection and cancels its calls. The promise is fulfilled when the WebSockets are closed, after about a second
   * at most.
   */
  async close(): Promise<void> {
    this.#end("connection closed", (s, error) => s.session.close(1000, error));
    await Promise.all([...this.#links].map((link) => link.done));
  }

  #end(why: string, end: (s: ClientSession, error: ParleyError) => void): void {
    if (this.#state === "closed") return;
    const error = new ParleyError(why, Code.Canceled);
    this.#setState("closed", error);
    this.#closing.abort(error);
    this.#each((s) => end(s, error));
  }

  /**
   * Opens a stream for a call, now or when a session takes it. With waitForReady it waits as long as a session is possible. It
   * returns undefined if the only session is the one that has refused the call.
   * @internal
   */
  open(header: (session: Session) => Uint8Array, waitForReady = false, refused?: Session): Stream | undefined {
    if (this.#state === "closed") throw this.#error;
    this.#createSubConns();
    const sub = this.#pick(refused);
    if (refused && sub?.session === refused) return undefined;
    if (!sub?.session || (sub.state === "failed" && !waitForReady)) throw sub?.error ?? this.#error;
    sub.dialSooner();
    return sub.session.open(header, waitForReady);
  }

  /** Creates the SubConns at the first use. It throws if a URL is invalid. */
  #createSubConns(): void {
    if (this.#resolved.length) return;
    if (!this.urls.length) throw new ParleyError("no URL", Code.InvalidArgument);
    this.#resolved = this.urls.map(webSocketURL);
    const each = this.options.balancer === "roundRobin" ? this.#resolved.map((url) => [url]) : [this.#resolved];
    this.#subconns = each.map((urls) => new SubConn(this, urls));
  }

  /** Picks the server of a call: in turn, the best that has not refused it. It makes all servers connect. */
  #pick(refused?: Session): SubConn | undefined {
    const all = this.#subconns;
    const first = this.#picks++;
    const worth = (sub: SubConn) => (refused && sub.session === refused ? -1 : sub.stable ? ranks.length : rank(sub));
    let best: SubConn | undefined;
    for (let i = 0; i < all.length; i++) {
      const sub = all[(first + i) % all.length] as SubConn;
      sub.connect();
      if (!best || worth(sub) > worth(best)) best = sub;
    }
    return best;
  }

  /**
   * Returns the URLs whose server is not draining, or all of them if all are draining.
   * @internal
   */
  available(urls: readonly string[]): readonly string[] {
    const draining = new Set<string>();
    this.#each((s) => s.session.drain.goaway && !s.session.error && draining.add(s.url));
    const isFree = (url: string) => !draining.has(url);
    return this.#resolved.some(isFree) ? urls.filter(isFree) : urls;
  }

  /** @internal */
  otherStable(sub: SubConn): Session | undefined {
    return this.#subconns.find((other) => other !== sub && other.stable)?.session;
  }

  /**
   * Moves pending calls to another server.
   * @internal
   */
  movePending(sub: SubConn, session: Session): void {
    const other = this.#subconns.find((s) => s !== sub && s.session && s.state !== "failed");
    if (other?.session) session.movePending(other.session);
  }

  /**
   * Connects to all servers.
   * @internal
   */
  connectAll(): void {
    for (const sub of this.#subconns) sub.connect();
  }

  /**
   * Dials what waited for a URL: a session has ended.
   * @internal
   */
  dialIdle(): void {
    for (const sub of this.#subconns) sub.dialIfIdle();
  }

  /** @internal */
  changed(sub: SubConn): void {
    if (sub.stable) for (const other of this.#subconns) if (other !== sub) other.yieldTo(sub.session as Session);
    const best = this.#subconns.reduce((a, b) => (rank(b) > rank(a) ? b : a));
    this.#setState(best.state, best.error);
  }

  /**
   * Returns the codec with the registry of this connection, if the codec takes one.
   * @internal
   */
  withRegistry(codec: Codec): Codec {
    const { registry } = this.options;
    return (registry && codec.withRegistry?.(registry)) ?? codec;
  }

  #each(f: (s: ClientSession) => void): void {
    for (const sub of this.#subconns) for (const s of sub.sessions) f(s);
  }

  /** @internal */
  get jitter(): (bound: number) => number {
    return this.options.jitter ?? fullJitter;
  }

  /** @internal */
  delay(reconnect: Reconnect, failures: number): number {
    return delayAfter(reconnect, failures, this.jitter);
  }

  /**
   * Handles a call of the server.
   * @internal
   */
  accept(stream: Stream, _header: Uint8Array): void {
    stream.end(
      encodeFields([
        [2, Code.Unimplemented],
        [1, utf8("unknown service")],
      ]),
    );
  }

  #setState(state: State, error: ParleyError | undefined): void {
    if (this.#state === "closed") return;
    this.#error = state === "ready" ? undefined : error;
    this.#everReady ||= state === "ready";
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        // An error in a listener must not affect other listeners or end the process.
        try {
          if (this.#listeners.has(listener)) listener(state);
        } catch (e) {
          (globalThis.reportError ?? console.error)(e);
        }
      });
    }
  }

  /** @internal */
  async dial(url: string, newSession: boolean): Promise<DialedLink> {
    const { WebSocket = globalThis.WebSocket as WebSocketConstructor | undefined, connectTimeoutMs = 10_000 } = this.options;
    if (!WebSocket) throw new ParleyError("no global WebSocket: set the option WebSocket", Code.FailedPrecondition);
    const attempt = new AbortController();
    const { signal } = attempt;
    const stop = () => attempt.abort(this.#error);
    const timer = new Timer();
    timer.start(connectTimeoutMs, () =>
      attempt.abort(new ParleyError(`no connection within ${connectTimeoutMs} ms`, Code.Unavailable)),
    );
    this.#closing.signal.addEventListener("abort", stop);
    try {
      const token = await this.token(signal);
      const options = { url, token, newSession, WebSocket, signal, connectTimeoutMs };
      const link = await (this.fallback?.dial(options) ?? dial(options)).catch(async (e: unknown) => {
        const error = ParleyError.from(e, Code.Unavailable);
        const shouldDiagnose =
          !this.#everReady && error.code === Code.Unavailable && error.retryAfter === undefined && !signal.aborted;
        throw shouldDiagnose ? await diagnose(url, error) : error;
      });
      this.#links.add(link);
      void link.done.then(() => this.#links.delete(link));
      return link;
    } finally {
      timer.stop();
      this.#closing.signal.removeEventListener("abort", stop);
    }
  }

  /**
   * Gets the credentials. Only a ParleyError rejects the connection for good; any other error is temporary.
   * @internal
   */
  async token(signal: AbortSignal): Promise<string | undefined> {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    try {
      return await Promise.race([aborted, this.options.credentials?.()]);
    } catch (e) {
      if (e instanceof ParleyError) throw e;
      const text = ParleyError.from(e).rawMessage || "no reason";
      throw new ParleyError(`no credentials: ${text}`, Code.Unavailable, { cause: e });
    }
  }
}
