import { MAX_LONG_DELAY, STABLE_AFTER } from "./backoff.js";
import { ClientSession } from "./clientsession.js";
import { closeAction, LOST, type Reconnect } from "./closecode.js";
import type { Connection, State } from "./connection.js";
import { ParleyError } from "./error.js";
import { type Goaway, isNotice } from "./goaway.js";
import { temporaryRefusal } from "./handshake.js";
import type { SessionRef } from "./hello.js";
import { FAILOVER_DELAY, MAX_REFUSAL_WAIT, MAX_REFUSALS, MIN_SESSION_AGE, WAKE_TIMEOUT } from "./limits.js";
import type { Session } from "./session.js";
import * as Code from "./statuscodes.js";

/**
 * A connection to one server, or to the first of several that answers. It connects when a call needs it, and reconnects when
 * its session is lost. New calls use the current session. Retired sessions finish the calls that they have.
 */
export class SubConn {
  #current: ClientSession | undefined;
  /** The session that becomes current once it is verified. Until then calls use the current one. */
  #next: ClientSession | undefined;
  #retired = new Set<ClientSession>();
  /** The number of failed attempts and of sessions that did not last, since one lasted. */
  #failures = 0;
  /** The error of a server that rejects this client, and when a call may try again. */
  #rejected: { error: ParleyError; until: number } | undefined;
  /** The URL that a draining server has named for the next session. */
  #redirect = "";
  #lostRef: SessionRef | undefined;
  /** Whether to reconnect when the draining server is gone. */
  #awaitingRestart = false;
  /** When a URL that has refused this client may be dialed again. */
  #notBefore = new Map<string, number>();
  #refusals = 0;
  #refusalWait = 0;

  readonly #conn: Connection;
  readonly #urls: readonly string[];

  constructor(conn: Connection, urls: readonly string[]) {
    this.#conn = conn;
    this.#urls = urls;
  }

  get state(): State {
    return this.#current?.state ?? (this.#rejected ? "failed" : "idle");
  }

  get error(): ParleyError | undefined {
    return this.#current?.error ?? this.#rejected?.error;
  }

  /** Returns all sessions. */
  get sessions(): ClientSession[] {
    return [this.#current, this.#next, ...this.#retired].filter((s) => !!s);
  }

  /** Reports whether calls can be made now, on a server that is not draining. */
  get stable(): boolean {
    return !!this.#current?.stable;
  }

  /** The session for new calls. */
  get session(): Session | undefined {
    return this.#current?.session;
  }

  /** Connects, unless the server has just rejected this client or is draining. */
  connect(): void {
    if (!this.#current && !((this.#rejected?.until ?? 0) > Date.now()) && this.#conn.available(this.#urls).length) this.#start();
  }

  /** Connects now, whatever has failed before. */
  connectNow(): void {
    if (!this.#current) this.#start();
    else if (this.#current.state === "failed") this.#current.start(0);
    else this.dialSooner();
  }

  /** Dials sessions now that were delayed because no call needed them. */
  dialSooner(): void {
    this.#current?.dialSooner();
    this.#next?.dialSooner();
  }

  /** Dials sessions that wait for a draining server to end. */
  dialIfIdle(): void {
    if (this.#awaitingRestart) this.connect();
    for (const s of this.sessions) s.dialIfIdle();
  }

  /** Returns the URLs to dial for a new session, in order, or how long to wait for one. */
  candidates(s: ClientSession): { urls: string[]; wait: number } {
    const detachedUrl = !this.#conn.fallback && s === this.#next && this.#current?.session.detached ? this.#current.url : "";
    const free = this.#conn.available(this.#urls).filter((url) => url !== detachedUrl);
    const urls = free.filter((url) => this.#pause([url]) <= 0);
    if (this.#redirect) urls.unshift(this.#redirect);
    this.#redirect = "";
    const wait = urls.length || !free.length ? 0 : this.#pause(free);
    return { urls, wait };
  }

  /** Returns how long to wait before one of the URLs is dialed again. */
  #pause(urls: readonly string[]): number {
    return Math.min(...urls.map((url) => this.#notBefore.get(url) ?? 0)) - Date.now();
  }

  /** Records the error of an attempt. Only a temporary refusal delays the next dial of the URL. */
  refused(url: string, { retryAfter }: ParleyError): void {
    if (retryAfter === undefined || !this.#urls.includes(url)) return;
    // Jitter: clients that were told the same delay must not return at the same time.
    const bound = retryAfter ? Math.min(retryAfter / 4, 1000) : 50 * 2 ** Math.min(this.#refusals, MAX_REFUSALS);
    this.#notBefore.set(url, Date.now() + retryAfter + this.#conn.jitter(bound));
  }

  /** Returns the delay before a refused attempt is retried as if nothing had failed, or undefined if it counts as a failure. */
  #refusalDelay(error: ParleyError): number | undefined {
    if (error.retryAfter === undefined) return undefined;
    const wait = Math.max(0, this.#pause(this.#conn.available(this.#urls)));
    this.#refusalWait += wait;
    return this.#refusals++ < MAX_REFUSALS && this.#refusalWait <= MAX_REFUSAL_WAIT ? wait : undefined;
  }

  /** Counts a failure and returns the delay after it. */
  #failureDelay(reconnect: Reconnect, s: ClientSession): number {
    if (s.hasLasted(STABLE_AFTER)) this.#failures = 0;
    this.#refusals = this.#refusalWait = 0;
    return this.#conn.delay(reconnect, this.#failures++);
  }

  /** Returns the minimum delay of a successor: sessions that drain at once must not make clients dial in a loop. */
  #successorDelay(s: ClientSession): number {
    return s.hasLasted(MIN_SESSION_AGE) ? 0 : this.#failureDelay("now", s);
  }

  #newSession(): ClientSession {
    const s = new ClientSession(this.#conn, this);
    s.session.replaces = this.#lostRef;
    return s;
  }

  #start(): void {
    this.#current = this.#newSession();
    this.#rejected = undefined;
    this.#awaitingRestart = false;
    this.#current.start(0);
    this.changed();
  }

  #startNext(delay: number, minDelay: number): void {
    this.#next = this.#newSession();
    this.#next.startIdle(delay, minDelay);
  }

  /** Handles a failed attempt to start a session. */
  connectFailed(s: ClientSession, error: ParleyError): void {
    const wait = this.#refusalDelay(error);
    if (wait !== undefined) return s.start(wait);
    s.setState("failed", error);
    s.start(this.#failureDelay("backoff", s));
    if (s !== this.#current) return;
    this.#conn.movePending(this, s.session);
    s.session.failPending(error);
  }

  /** Handles a lost link. Other servers, or the fallback, are tried unless the session is resumed soon. */
  detached(s: ClientSession): void {
    if (s !== this.#current || this.#next || (this.#urls.length < 2 && !this.#conn.fallback)) return;
    this.#startNext(FAILOVER_DELAY, FAILOVER_DELAY);
  }

  /** Handles a failed attempt to resume: other servers are tried now. */
  resumeFailed(s: ClientSession): void {
    this.detached(s);
    if (s === this.#current) this.#next?.dialSooner(0);
  }

  ready(s: ClientSession): void {
    if (s.session.replaces === this.#lostRef) this.#lostRef = undefined;
    this.#rejected = undefined;
    if (s === this.#next) s.session.probe(WAKE_TIMEOUT, () => this.#verified(s));
    else if (s === this.#current && this.#next && !s.session.drain.goaway) this.#dropNext();
    this.changed();
  }

  /** Makes the next session current: its server has responded and has not refused this client. */
  #verified(s: ClientSession): void {
    const old = this.#current;
    if (s !== this.#next || !s.session.canOpen) return;
    this.#current = s;
    this.#next = undefined;
    if (old) this.#retire(old, s.session);
    const { goaway } = s.session.drain;
    if (goaway) this.goaway(s, goaway);
    this.changed();
  }

  #dropNext(): void {
    const next = this.#next;
    this.#next = undefined;
    if (next?.session.established) {
      // The server may have opened streams on it.
      this.#retired.add(next);
      next.session.stopOpening();
    } else next?.session.close(1000, new ParleyError("session not needed", Code.Canceled));
  }

  /** Lets a session finish its calls. */
  #retire(s: ClientSession, to: Session): void {
    this.#retired.add(s);
    s.session.movePending(to);
    s.session.stopOpening();
  }

  /** Yields to another server that takes calls: pending calls move there, and a draining session is left. */
  yieldTo(to: Session): void {
    const s = this.#current;
    if (!s) return;
    if (s.state !== "ready") s.session.movePending(to);
    else if (s.session.drain.goaway) this.#moveTo(s, to);
  }

  /** Retires the current session, and reconnects when its server is no longer draining. */
  #moveTo(s: ClientSession, to: Session): void {
    this.#current = undefined;
    this.#dropNext();
    this.#retire(s, to);
    if (this.#conn.available(this.#urls).length) this.#start();
    else this.#awaitingRestart = true;
  }

  goaway(s: ClientSession, g: Goaway): void {
    const delay = Math.min(g.delay, MAX_LONG_DELAY);
    if (s === this.#next && !isNotice(g)) {
      this.#dropNext();
      this.#startNext(delay, this.#successorDelay(s));
    }
    if (s !== this.#current) return;
    this.#redirect = sameHost(s.url, g.address);
    const other = this.#conn.otherStable(this);
    if (other) this.#moveTo(s, other);
    else {
      if (!this.#next) this.#startNext(delay, this.#successorDelay(s));
      if (!isNotice(g)) this.#promote(s);
      this.#conn.connectAll();
    }
    this.changed();
  }

  /** Makes the next session current, though it has no link yet. */
  #promote(old: ClientSession): void {
    const next = (this.#current = this.#next as ClientSession);
    const failed = next.state === "failed";
    this.#next = undefined;
    old.session.movePending(next.session, failed);
    if (failed) old.session.failPending(next.error as ParleyError);
    if (!old.session.error) this.#retire(old, next.session);
    if (next.session.busy) next.dialSooner();
    const { goaway } = next.session.drain;
    if (goaway) this.goaway(next, goaway);
  }

  ended(s: ClientSession, error: ParleyError, code: number): void {
    if (this.#conn.state === "closed") return;
    const current = s === this.#current;
    this.#lostRef = s.session.lostRef ?? this.#lostRef;
    for (const { session } of this.sessions) if (!session.attached && !session.established) session.replaces = this.#lostRef;
    if (!this.#retired.delete(s) && (current || s === this.#next)) {
      if (current && this.#next && closeAction(code).reconnect !== "never") this.#promote(s);
      else {
        if (current) this.#dropNext();
        const next = this.#successor(s, error, code);
        if (current) this.#current = next;
        else this.#next = next;
        if (next) s.session.movePending(next.session, next.state === "failed");
        next?.start(next.delay);
      }
      this.changed();
    }
    this.#conn.dialIdle();
  }

  /** Returns the successor of a session that has ended, or undefined if the client must not reconnect. */
  #successor(s: ClientSession, error: ParleyError, code: number): ClientSession | undefined {
    const minDelay = Math.min(s.session.drain.goaway?.delay ?? 0, MAX_LONG_DELAY);
    const next = this.#newSession();
    next.error = error;
    if (isRefusal(s.session, code)) {
      const refusal = temporaryRefusal(error.rawMessage, minDelay);
      this.refused(s.url, refusal);
      const wait = this.#refusalDelay(refusal);
      if (wait !== undefined) {
        next.delay = wait;
        return next;
      }
    }
    const { reconnect } = closeAction(code);
    const delay = Math.max(this.#failureDelay(reconnect, s), minDelay);
    if (reconnect !== "never") {
      if (delay > 0) next.state = "failed";
      next.delay = delay;
      return next;
    }
    if (code === 1000) this.#failures = 0;
    else this.#rejected = { error, until: Date.now() + delay };
    return undefined;
  }

  /** Reports a change of state to the connection. */
  changed(): void {
    this.#conn.changed(this);
  }
}

/** Reports whether the server refused a client before it served any call. Another server may accept it. */
function isRefusal({ established, drain: { goaway } }: Session, code: number): boolean {
  if (established) return goaway?.status === Code.Unavailable && !goaway.lastStream;
  return code !== LOST && closeAction(code).status === Code.Unavailable;
}

/** Returns the URL that a draining server has named, if it has the same origin as the current one (PROTOCOL.md, section 15.6). */
function sameHost(url: string, address: string): string {
  try {
    const [from, to] = [new URL(url), new URL(address)];
    return from.origin === to.origin && !to.username && !to.password ? to.href : "";
  } catch {
    return "";
  }
}
