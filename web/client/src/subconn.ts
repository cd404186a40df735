import { MAX_LONG_DELAY, STABLE_AFTER } from "./backoff.js";
import { ClientSession } from "./clientsession.js";
import { closeAction, LOST, type Reconnect } from "./closecode.js";
import { Code } from "./code.js";
import type { Connection, State } from "./connection.js";
import { ParleyError } from "./error.js";
import { type Goaway, isNotice } from "./goaway.js";
import { TemporaryRefusal } from "./handshake.js";
import type { SessionRef } from "./hello.js";
import type { Session } from "./session.js";

/** How often in a row a client that is turned away tries again before that counts as a failure, and how long it waits, in all. */
const MAX_REFUSALS = 4;
const MAX_REFUSAL_WAIT = 2_500;
/** A session that goes away after so long was good for something, in milliseconds. */
const MIN_SESSION_AGE = 1_000;
/** How long a server may take to resume a session before another one is tried for new calls, in milliseconds. */
const FAILOVER_DELAY = 1_000;

/**
 * A connection's way to one server, or to the first of several that answers. It connects when a call needs it, and again by
 * itself when the session was lost. New calls are made on the current session. Those that were current before finish theirs.
 */
export class SubConn {
  #current: ClientSession | undefined;
  /** Is about to become current, while calls are still made on the one that is. */
  #next: ClientSession | undefined;
  #retired = new Set<ClientSession>();
  /** Attempts since a session lasted, and sessions that did not last. */
  #failures = 0;
  /** Why the server has refused this client, and when a call may try again. */
  #rejected: { error: ParleyError; until: number } | undefined;
  /** Where a server that goes away has said to come back to. */
  #redirect = "";
  #lostRef: SessionRef | undefined;
  /** It comes back when the server that goes away has gone. */
  #awaitingRestart = false;
  /** When the URLs may be dialed again that have turned this client away, and how often in a row they have. */
  #notBefore = new Map<string, number>();
  #refusals = 0;
  #refusalWait = 0;

  readonly #conn: Connection;
  readonly #urls: string[];

  constructor(conn: Connection, urls: string[]) {
    this.#conn = conn;
    this.#urls = urls;
  }

  get state(): State {
    return this.#current?.state ?? (this.#rejected ? "failed" : "idle");
  }

  get error(): ParleyError | undefined {
    return this.#current?.error ?? this.#rejected?.error;
  }

  /** All sessions. */
  get sessions(): ClientSession[] {
    return [this.#current, this.#next, ...this.#retired].filter((s) => s !== undefined);
  }

  /** Whether calls can be made now, and on a session that stays. */
  get stable(): boolean {
    return !!this.#current?.stable;
  }

  /** Where calls are made, or wait for a link. */
  get session(): Session | undefined {
    return this.#current?.session;
  }

  /** Connects, unless the server has just refused this client, or goes away. */
  connect(): void {
    const refused = this.#rejected && this.#rejected.until > Date.now();
    if (!this.#current && !refused && this.#conn.available(this.#urls).length) this.#start();
  }

  /** Connects now, whatever there was before. */
  connectNow(): void {
    if (!this.#current) this.#start();
    else if (this.#current.state === "failed") this.#current.start(0);
    else this.dialSooner();
  }

  /** There is a call: what waits because nothing needed it is dialed now. */
  dialSooner(): void {
    this.#current?.dialSooner();
    this.#next?.dialSooner();
  }

  /** The server of a session that went away may have gone. */
  dialIfIdle(): void {
    if (this.#awaitingRestart) this.connect();
    for (const s of this.sessions) s.dialIfIdle();
  }

  /** The URLs to dial for a new session, in order, or how long to wait for one. */
  candidates(s: ClientSession): { urls: string[]; wait: number } {
    const detachedUrl = s === this.#next && this.#current?.session.detached ? this.#current.url : "";
    const free = this.#conn.available(this.#urls).filter((url) => url !== detachedUrl);
    const now = Date.now();
    const urls = free.filter((url) => this.#pause(url, now) <= 0);
    if (this.#redirect) urls.unshift(this.#redirect);
    this.#redirect = "";
    const wait = urls.length || !free.length ? 0 : Math.min(...free.map((url) => this.#pause(url, now)));
    return { urls, wait };
  }

  /** How long to wait before the URL is dialed again. */
  #pause(url: string, now: number): number {
    return (this.#notBefore.get(url) ?? 0) - now;
  }

  /** Takes note of an attempt's error. Only some turn the client away for a while. */
  refused(url: string, error: unknown): void {
    if (!(error instanceof TemporaryRefusal) || !this.#urls.includes(url)) return;
    const retryAfter = error.retryAfter;
    // Those that were told the same don't come in the same moment.
    const bound = retryAfter ? Math.min(retryAfter / 4, 1000) : 50 * 2 ** Math.min(this.#refusals, MAX_REFUSALS);
    this.#notBefore.set(url, Date.now() + retryAfter + this.#conn.jitter(bound));
  }

  /** Whether to try again as if nothing had failed, and after which delay. */
  #refusalDelay(error: ParleyError): number | undefined {
    if (!(error instanceof TemporaryRefusal)) return undefined;
    const now = Date.now();
    const wait = Math.max(0, Math.min(...this.#conn.available(this.#urls).map((url) => this.#pause(url, now))));
    this.#refusalWait += wait;
    return this.#refusals++ < MAX_REFUSALS && this.#refusalWait <= MAX_REFUSAL_WAIT ? wait : undefined;
  }

  /** Counts a failure, or the first after a success, and returns how long to wait. */
  #failureDelay(reconnect: Reconnect, s: ClientSession): number {
    if (s.hasLasted(STABLE_AFTER)) this.#failures = 0;
    this.#refusals = this.#refusalWait = 0;
    return this.#conn.delay(reconnect, this.#failures++);
  }

  /** How long a successor waits at least: sessions that all go away at once must not have clients dial in a loop. */
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

  /** An attempt at a new session has failed. */
  connectFailed(s: ClientSession, error: ParleyError): void {
    const wait = this.#refusalDelay(error);
    if (wait !== undefined) return s.start(wait);
    s.setState("failed", error);
    s.start(this.#failureDelay("backoff", s));
    if (s !== this.#current) return;
    this.#conn.movePending(this, s.session);
    s.session.failPending(error);
  }

  /** The link of a session is lost. Where there are other servers, they are asked if it is not resumed soon. */
  detached(s: ClientSession): void {
    if (s !== this.#current || this.#next || this.#urls.length < 2) return;
    this.#startNext(FAILOVER_DELAY, FAILOVER_DELAY);
  }

  /** An attempt to resume has failed: other servers are asked now. */
  resumeFailed(s: ClientSession): void {
    this.detached(s);
    if (s === this.#current) this.#next?.dialSooner(0);
  }

  ready(s: ClientSession): void {
    if (s.session.replaces === this.#lostRef) this.#lostRef = undefined;
    this.#rejected = undefined;
    if (s === this.#next) s.verify();
    else if (s === this.#current && this.#next && !s.session.drain.goaway) this.#dropNext();
    this.changed();
  }

  /** The server has answered on a session: it has not turned this client away. */
  verified(s: ClientSession): void {
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
    } else next?.session.close(1000, new ParleyError("the session is not needed", Code.Canceled));
  }

  /** Has a session finish its calls. */
  #retire(s: ClientSession, to: Session): void {
    this.#retired.add(s);
    s.session.movePending(to);
    s.session.stopOpening();
  }

  /** Another server takes calls, for good: those that wait here go there, and a session that goes away is left. */
  yieldTo(to: Session): void {
    const s = this.#current;
    if (!s) return;
    if (s.state !== "ready") s.session.movePending(to);
    else if (s.session.drain.goaway) this.#moveTo(s, to);
  }

  /** Goes on without the current session, and comes back when its server has gone. */
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

  /** Has new calls made on the next session, though it is not there yet. */
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

  /** What follows on a session that is over: another one, which is to be started, or none. */
  #successor(s: ClientSession, error: ParleyError, code: number): ClientSession | undefined {
    const minDelay = Math.min(s.session.drain.goaway?.delay ?? 0, MAX_LONG_DELAY);
    const next = this.#newSession();
    next.error = error;
    if (isRefusal(s.session, code)) {
      const refusal = new TemporaryRefusal(error.rawMessage, minDelay);
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

  /** Tells the connection. */
  changed(): void {
    this.#conn.changed(this);
  }
}

/** Whether the server has turned a client away before it has served anything: there may be others that do not. */
function isRefusal({ established, drain: { goaway } }: Session, code: number): boolean {
  if (established) return goaway?.status === Code.Unavailable && !goaway.lastStream;
  return code !== LOST && closeAction(code).status === Code.Unavailable;
}

/** The address to come back to, if it is where this end has dialed (PROTOCOL.md, section 15.6). */
function sameHost(url: string, address: string): string {
  try {
    const [from, to] = [new URL(url), new URL(address)];
    return from.protocol === to.protocol && from.host === to.host && !to.username && !to.password ? to.href : "";
  } catch {
    return "";
  }
}
