import { closeAction } from "./closecode.js";
import type { Connection, State } from "./connection.js";
import { ParleyError } from "./error.js";
import type { SessionEvents } from "./events.js";
import type { Goaway } from "./goaway.js";
import { SHORT_LINK, WAKE_TIMEOUT } from "./limits.js";
import { Session } from "./session.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";
import type { SubConn } from "./subconn.js";
import { Timer } from "./timer.js";

/** A session of a connection. It dials the links of the session. */
export class ClientSession implements SessionEvents {
  declare readonly session: Session;
  state: State = "connecting";
  /** Why there is no link. */
  declare error: ParleyError | undefined;
  /** The URL of the latest link. */
  url = "";
  /** The delay before the first dial, in milliseconds. */
  delay = 0;
  /** Why the latest link is no WebSocket. */
  #fallback: ParleyError | undefined;
  #dialing = false;
  #timer = new Timer();
  /** The earliest time of a dial that no call needs yet; 0: the dial is needed. */
  #earliest = 0;
  /** When the peer's HELLO arrived on the current link; 0: it has not arrived. */
  #readySince = 0;
  /** The number of short links in a row. */
  #shortLinks = 0;
  /** The number of failed attempts to resume since the link was lost. */
  #failures = 0;
  /** Whether to get new credentials once if the server rejects them on resumption. */
  #mayRefreshCredentials = false;

  readonly #conn: Connection;
  readonly #sub: SubConn;

  constructor(conn: Connection, sub: SubConn) {
    this.#conn = conn;
    this.#sub = sub;
    this.session = new Session(conn.settings, this);
  }

  /** Reports whether streams can be opened, and the server is not draining. */
  get stable(): boolean {
    return this.state === "ready" && this.session.canOpen && !this.session.drain.goaway;
  }

  /** Reports whether the current link has lasted ms. */
  hasLasted(ms: number): boolean {
    return this.#readySince > 0 && Date.now() - this.#readySince >= ms;
  }

  /** Dials after a delay, unless there is a link or a dial is in progress. */
  start(delay: number): void {
    this.#timer.stop();
    this.#earliest = 0;
    if (this.#stopped || this.session.attached || this.#dialing) return;
    if (delay > 0) this.#timer.start(delay, () => this.start(0));
    else void this.#dial();
  }

  /** Dials after a delay, because no call needs the session yet. A call makes it dial sooner, but not before minDelay. */
  startIdle(delay: number, minDelay: number): void {
    this.start(Math.max(delay, minDelay));
    this.#earliest = Date.now() + minDelay;
  }

  /** Shortens the delay of a session that no call needed, because a call needs it now. */
  dialSooner(minDelay = this.#earliest - Date.now()): void {
    if (this.#timer.running && this.#earliest) this.start(minDelay);
  }

  /** Dials if no dial was possible because no URL was available. */
  dialIfIdle(): void {
    if (!this.#timer.running) this.start(0);
  }

  /** Checks the link now. */
  wake(): void {
    if (this.#timer.running) this.start(0);
    else this.session.probe(WAKE_TIMEOUT);
  }

  /** Reports whether dialing must stop. */
  get #stopped(): boolean {
    return !!this.session.error || this.#conn.hidden;
  }

  async #dial(): Promise<void> {
    const detached = this.session.detached;
    const { urls, wait } = detached ? { urls: [this.url], wait: 0 } : this.#sub.candidates(this);
    if (wait) return this.start(wait);
    if (!urls.length) return; // until one is available
    this.#dialing = true;
    if (!detached) this.setState("connecting", this.error);
    let failure: ParleyError | undefined;
    for (const url of urls) {
      try {
        const link = await this.#conn.dial(url, !detached);
        this.#dialing = false;
        if (this.#stopped) return link.close();
        this.#fallback = link.fallback;
        this.url = link.fallback ? "" : url; // it is free to be dialed
        link.onData = (data) => this.session.receive(data);
        link.onEnd = (code, reason) => this.session.linkClosed(code, reason);
        return this.session.attach(link);
      } catch (e) {
        const error = ParleyError.from(e, Code.Unavailable);
        this.#sub.refused(url, error);
        failure = moreUseful(failure, error);
      }
      if (this.#stopped) break;
    }
    this.#dialing = false;
    if (this.#stopped || !failure) return;
    if (detached) this.#resumeFailed(failure);
    else if (failure.code === Code.Unavailable) this.#sub.connectFailed(this, failure);
    else this.session.close(4000 + failure.code, failure);
  }

  /** Handles a failed attempt to resume. INTERNAL is temporary too: a damaged handshake causes it. */
  #resumeFailed(error: ParleyError): void {
    const temporary = error.code === Code.Unavailable || error.code === Code.Internal;
    if (!temporary && !this.mayReconnect(4000 + error.code)) return this.session.close(4000 + error.code, error);
    this.error = error;
    this.start(Math.max(this.#conn.delay("backoff", this.#failures++), error.retryAfter ?? 0));
    this.#sub.resumeFailed(this);
  }

  mayReconnect(code: number): boolean {
    const refresh = code === 4000 + Code.Unauthenticated && this.#mayRefreshCredentials;
    if (refresh) this.#mayRefreshCredentials = false;
    return refresh || closeAction(code).reconnect !== "never";
  }

  setState(state: State, error: ParleyError | undefined): void {
    this.state = state;
    this.error = error;
    this.#sub.changed();
  }

  ready(): void {
    this.#readySince = Date.now();
    this.#mayRefreshCredentials = !!this.#conn.options.credentials;
    this.error = this.#fallback;
    this.state = this.error ? "fallback" : "ready";
    this.#sub.ready(this);
  }

  detached(error: ParleyError, code: number): void {
    const since = this.#readySince;
    this.#readySince = 0;
    this.setState("resuming", error);
    if (since) {
      this.#shortLinks = Date.now() - since < SHORT_LINK ? this.#shortLinks + 1 : 0;
      this.#failures = 0;
      this.start(this.#shortLinks > 2 ? this.#conn.jitter(Math.min(1000, 50 * 2 ** (this.#shortLinks - 3))) : 0);
      this.#sub.detached(this);
    } else {
      this.start(this.#conn.delay(closeAction(code).reconnect, this.#failures++));
      this.#sub.resumeFailed(this);
    }
  }

  goaway(g: Goaway): void {
    this.#sub.goaway(this, g);
  }

  ended(error: ParleyError, code: number): void {
    this.#timer.stop();
    this.#sub.ended(this, error, code);
  }

  stream(stream: Stream, header: Uint8Array): void {
    this.#conn.accept(stream, header);
  }
}

/** Returns the error that says more about when to try again. */
function moreUseful(a: ParleyError | undefined, b: ParleyError): ParleyError {
  const worth = (e: ParleyError) => (e.retryAfter !== undefined ? 2 : e.code === Code.Unavailable ? 1 : 0);
  return a && worth(a) > worth(b) ? a : b;
}
