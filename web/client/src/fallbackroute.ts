import type { DescMethod } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";
import { ConnectServer } from "./connectserver.js";
import { ParleyError } from "./error.js";
import type { DialedLink } from "./events.js";
import type { FallbackSettings } from "./fallback.js";
import { callByFetch } from "./fetchcall.js";
import { FetchLink } from "./fetchlink.js";
import { type DialOptions, dial } from "./link.js";
import { watchPage } from "./page.js";
import * as Code from "./statuscodes.js";
import { Timer } from "./timer.js";
import { WatchedSockets } from "./watchedsockets.js";

/** The longest random delay before the second attempt, in milliseconds. It doubles with each further one. */
const FIRST_PAUSE = 100;
/** How long a WebSocket that got through waits for the connection to use it, in milliseconds. */
const HOLD = 5_000;

/** The way to one URL: by WebSocket, or by fetch while WebSockets do not get through. */
export class Route {
  /** The number of WebSockets in a row that did not get through while HTTP did. */
  #failures = 0;
  /** Why WebSockets do not get through; undefined: they do, or too few have failed. */
  #blocked: ParleyError | undefined;
  #error = new ParleyError("could not connect", Code.Unavailable);
  /** Whether the latest link was dialed to resume a session. */
  #resuming = false;
  #links = new Set<FetchLink>();
  /** The WebSocket that got through, until the connection dials. */
  #held: { link: DialedLink; sockets: WatchedSockets } | undefined;
  #retries = 0;
  #retryTimer = new Timer();
  #trying = false;
  /** Aborted when WebSockets get through. */
  #watch = new AbortController();
  /** The latest options. */
  #options: DialOptions | undefined;

  readonly #server: ConnectServer;

  constructor(
    readonly conn: Connection,
    readonly url: string,
    readonly settings: FallbackSettings,
    readonly methods: Map<string, DescMethod>,
  ) {
    this.#server = new ConnectServer(conn, url, settings);
    conn.subscribe((state) => state === "closed" && this.#unwatch());
  }

  /** Opens a WebSocket, or returns what replaces it. Without a new session it must be a WebSocket. */
  async dial(options: DialOptions): Promise<DialedLink> {
    const { newSession, signal } = options;
    const ms = options.connectTimeoutMs / (this.settings.attempts + 1);
    this.#options = options;
    const held = this.#held;
    this.#held = undefined;
    if (held) return held.sockets.expect(held.link, ms);
    // While a session waits to be resumed by a WebSocket, another one makes sense only without WebSockets.
    const beside = newSession && this.#resuming && this.conn.state === "resuming";
    this.#resuming = !newSession || beside;
    for (;;) {
      if (newSession && !this.#blocked && this.#failures >= this.settings.attempts) await this.#block(options);
      if (newSession && this.#blocked) return this.#fetchLink(this.#blocked);
      if (beside) throw this.#temporary;
      const sockets = new WatchedSockets(options.WebSocket, this.#heard, this.#silent);
      try {
        return sockets.expect(await this.#attempt(options, sockets, ms), ms);
      } catch (e) {
        this.#error = ParleyError.from(e, Code.Unavailable);
        if (signal.aborted || sockets.opened || isAnswer(this.#error)) throw this.#error;
        await this.#server.check(options.token, this.#error);
        this.#failures++;
        if (!newSession) throw this.#temporary;
      }
      if (this.#failures < this.settings.attempts) await this.#pause(signal);
    }
  }

  /** The latest error, which a proxy has caused: it may pass, whatever the HTTP status was. */
  get #temporary(): ParleyError {
    const { rawMessage } = this.#error;
    return new ParleyError(rawMessage, Code.Unavailable, { cause: this.#error });
  }

  /** Opens a WebSocket within ms. */
  async #attempt(options: DialOptions, sockets: WatchedSockets, ms: number): Promise<DialedLink> {
    const { signal } = options;
    const attempt = new AbortController();
    const stop = () => attempt.abort(signal.reason);
    const timer = new Timer();
    const text = `no WebSocket within ${Math.round(ms)} ms`;
    timer.start(ms, () => attempt.abort(new ParleyError(text, Code.Unavailable)));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      return await dial({ ...options, WebSocket: sockets.create, signal: attempt.signal });
    } finally {
      timer.stop();
      signal.removeEventListener("abort", stop);
    }
  }

  /** Waits for a random time. It fails when the signal aborts. */
  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const timer = new Timer();
      const stop = () => {
        timer.stop();
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop);
      timer.start(this.conn.jitter(FIRST_PAUSE * 2 ** (this.#failures - 1)), () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
    });
  }

  /** Handles a message of the server on a WebSocket. */
  #heard = (): void => {
    this.#failures = this.#retries = 0;
    this.#unblock();
  };

  /** Handles a WebSocket that was opened and lost, and carried nothing. */
  #silent = (): void => {
    this.#error = new ParleyError("the WebSocket carries nothing", Code.Unavailable);
    this.#failures++;
  };

  /** Makes calls by fetch from here on. It fails if HTTP does not get through. */
  async #block({ token }: DialOptions): Promise<void> {
    await this.#server.check(token, this.#error);
    const why = `WebSockets do not get through to ${this.url} (${this.#error.rawMessage})`;
    const how = "unary and server-streaming calls go over HTTP: let the network or its proxy forward WebSockets for other calls";
    this.#blocked = new ParleyError(`${why}, and only ${how}`, Code.Unimplemented);
    this.#watch = new AbortController();
    const tryNow = () => void this.#tryWebSocket();
    watchPage({ wake: tryNow, show: tryNow, hide() {}, unload() {} }, this.#watch.signal);
    this.#scheduleRetry();
  }

  #fetchLink(why: ParleyError): FetchLink {
    const link = new FetchLink(why, this.conn.settings, (stream, open) =>
      callByFetch(stream, open, this.methods.get(open.method), this.#server, why),
    );
    this.#links.add(link);
    void link.done.then(() => this.#links.delete(link));
    return link;
  }

  #scheduleRetry(): void {
    const { initialMs, maxMs } = this.settings;
    const bound = Math.min(maxMs, initialMs * 2 ** this.#retries++);
    this.#retryTimer.stop();
    this.#retryTimer.start(bound / 2 + this.conn.jitter(bound / 2), () => void this.#tryWebSocket());
  }

  /** Tries to open a WebSocket. The connection gets it if that succeeds. */
  async #tryWebSocket(): Promise<void> {
    const watch = this.#watch.signal;
    const options = this.#options;
    if (this.#trying || watch.aborted || !options) return;
    if (this.conn.hidden) return this.#scheduleRetry();
    this.#trying = true;
    const sockets = new WatchedSockets(options.WebSocket, this.#heard, this.#silent);
    const signal = AbortSignal.timeout(options.connectTimeoutMs);
    try {
      const token = await this.conn.token(signal);
      const link = await this.#attempt({ ...options, token, newSession: true, signal }, sockets, options.connectTimeoutMs);
      if (watch.aborted) return link.close();
      this.#hold(link, sockets);
      this.#failures = 0;
      this.#unblock();
    } catch (e) {
      if (watch.aborted) return;
      this.#error = ParleyError.from(e, Code.Unavailable);
      this.#scheduleRetry();
    } finally {
      this.#trying = false;
    }
  }

  /** Keeps a WebSocket for the connection, which dials at once if it needs one. */
  #hold(link: DialedLink, sockets: WatchedSockets): void {
    this.#held = { link, sockets };
    const timer = new Timer();
    const drop = () => {
      timer.stop();
      if (this.#held?.link !== link) return;
      this.#held = undefined;
      link.close();
    };
    timer.start(HOLD, drop);
    void link.done.then(drop);
  }

  /** Lets new calls use WebSockets. Running calls go on. */
  #unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = undefined;
    this.#unwatch();
    for (const link of this.#links) link.drain();
  }

  #unwatch(): void {
    this.#retryTimer.stop();
    this.#watch.abort(this.conn.error);
  }
}

/** Reports whether an error is an answer of a Parley server, not of a proxy. */
function isAnswer(error: ParleyError): boolean {
  return (
    !!error.retryAfter ||
    error.code === Code.Unauthenticated ||
    error.code === Code.PermissionDenied ||
    error.code === Code.InvalidArgument
  );
}
