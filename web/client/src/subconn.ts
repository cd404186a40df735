import { TurnedAway } from "./answer.js";
import { LASTED, MOST_LONGER } from "./backoff.js";
import { ClientSession } from "./clientsession.js";
import { type Comeback, ending, LOST } from "./closecode.js";
import { Code } from "./code.js";
import type { Connection, State } from "./connection.js";
import { ParleyError } from "./error.js";
import { type Goaway, isNotice } from "./goaway.js";
import type { Replaced } from "./hello.js";
import type { Session } from "./session.js";

/** How often in a row a client that is turned away tries again before that counts as a failure, and how long it waits, in all. */
const MOST_TURNS = 4;
const MOST_WAIT = 2_500;
/** A session that goes away after so long was good for something, in milliseconds. */
const USEFUL = 1_000;
/** How long a server may take to resume a session before another one is tried for new calls, in milliseconds. */
const ELSEWHERE_AFTER = 1_000;

/**
 * A connection's way to one server, or to the first of several that answers. It connects when a call needs it, and again by
 * itself when the session was lost. New calls are made on the current session. Those that were current before finish theirs.
 */
export class SubConn {
  #current: ClientSession | undefined;
  /** Is about to become current, while calls are still made on the one that is. */
  #next: ClientSession | undefined;
  #old = new Set<ClientSession>();
  /** Attempts since a session lasted, and sessions that did not last. */
  #failures = 0;
  /** Why the server has refused this client, and when a call may try again. */
  #refused: { error: ParleyError; until: number } | undefined;
  /** Where a server that goes away has said to come back to. */
  #address = "";
  #replaced: Replaced | undefined;
  /** It comes back when the server that goes away has gone. */
  #resting = false;
  /** When the URLs may be dialed again that have turned this client away, and how often in a row they have. */
  #pauses = new Map<string, number>();
  #turns = 0;
  #waited = 0;

  constructor(
    private conn: Connection,
    private urls: readonly string[],
  ) {}

  get state(): State {
    return this.#current?.state ?? (this.#refused ? "failed" : "idle");
  }

  get error(): ParleyError | undefined {
    return this.#current?.error ?? this.#refused?.error;
  }

  /** All sessions. */
  get sessions(): ClientSession[] {
    return [this.#current, this.#next, ...this.#old].filter((s) => s !== undefined);
  }

  /** Whether calls can be made now, and on a session that stays. */
  get lasting(): boolean {
    return !!this.#current?.lasting;
  }

  /** Where calls are made, or wait for a link. */
  get session(): Session | undefined {
    return this.#current?.session;
  }

  /** Connects, unless the server has just refused this client, or goes away. */
  connect(): void {
    const refused = this.#refused && this.#refused.until > Date.now();
    if (!this.#current && !refused && this.conn.free(this.urls).length) this.#begin();
  }

  /** Connects now, whatever there was before. */
  hurry(): void {
    if (!this.#current) this.#begin();
    else if (this.#current.state === "failed") this.#current.start(0);
    else this.hasten();
  }

  /** There is a call: what waits because nothing needed it is dialed now. */
  hasten(): void {
    this.#current?.hasten();
    this.#next?.hasten();
  }

  /** The server of a session that went away may have gone. */
  reconsider(): void {
    if (this.#resting) this.connect();
    for (const s of this.sessions) s.reconsider();
  }

  /** The URLs to dial for a new session, in order, or how long to wait for one. */
  candidates(s: ClientSession): { urls: string[]; wait: number } {
    const left = s === this.#next && this.#current?.session.away ? this.#current.url : "";
    const free = this.conn.free(this.urls).filter((url) => url !== left);
    const now = Date.now();
    const urls = free.filter((url) => this.#pause(url, now) <= 0);
    if (this.#address) urls.unshift(this.#address);
    this.#address = "";
    const wait = urls.length || !free.length ? 0 : Math.min(...free.map((url) => this.#pause(url, now)));
    return { urls, wait };
  }

  /** How long to wait before the URL is dialed again. */
  #pause(url: string, now: number): number {
    return (this.#pauses.get(url) ?? 0) - now;
  }

  /** Takes note of an attempt's error. Only some turn the client away for a while. */
  turnedAway(url: string, error: unknown): void {
    if (!(error instanceof TurnedAway) || !this.urls.includes(url)) return;
    const said = error.retryAfter;
    // Those that were told the same don't come in the same moment.
    const bound = said ? Math.min(said / 4, 1000) : 50 * 2 ** Math.min(this.#turns, MOST_TURNS);
    this.#pauses.set(url, Date.now() + said + this.conn.jitter(bound));
  }

  /** Whether to try again as if nothing had failed, and after which delay. */
  #turn(error: ParleyError): number | undefined {
    if (!(error instanceof TurnedAway)) return undefined;
    const now = Date.now();
    const wait = Math.max(0, Math.min(...this.conn.free(this.urls).map((url) => this.#pause(url, now))));
    this.#waited += wait;
    return this.#turns++ < MOST_TURNS && this.#waited <= MOST_WAIT ? wait : undefined;
  }

  /** Counts a failure, or the first after a success, and returns how long to wait. */
  #delay(comeback: Comeback, s: ClientSession): number {
    if (s.lastedFor(LASTED)) this.#failures = 0;
    this.#turns = this.#waited = 0;
    return this.conn.delay(comeback, this.#failures++);
  }

  /** How long a successor waits at least: sessions that all go away at once must not have clients dial in a loop. */
  #haste(s: ClientSession): number {
    return s.lastedFor(USEFUL) ? 0 : this.#delay("at once", s);
  }

  #make(): ClientSession {
    const s = new ClientSession(this.conn, this);
    s.session.replaces = this.#replaced;
    return s;
  }

  #begin(): void {
    this.#current = this.#make();
    this.#refused = undefined;
    this.#resting = false;
    this.#current.start(0);
    this.changed();
  }

  /** An attempt at a new session has failed. */
  notConnected(s: ClientSession, error: ParleyError): void {
    const wait = this.#turn(error);
    if (wait !== undefined) return s.start(wait);
    s.enter("failed", error);
    s.start(this.#delay("backs off", s));
    if (s !== this.#current) return;
    this.conn.rehome(this, s.session);
    s.session.failPending(error);
  }

  /** The link of a session is lost. Where there are other servers, they are asked if it is not resumed soon. */
  lost(s: ClientSession): void {
    if (s !== this.#current || this.#next || this.urls.length < 2) return;
    this.#next = this.#make();
    this.#next.announce(ELSEWHERE_AFTER, ELSEWHERE_AFTER);
  }

  /** An attempt to resume has failed: other servers are asked now. */
  notResumed(s: ClientSession): void {
    this.lost(s);
    if (s === this.#current) this.#next?.hasten(0);
  }

  ready(s: ClientSession): void {
    if (s.session.replaces === this.#replaced) this.#replaced = undefined;
    this.#refused = undefined;
    if (s === this.#next) s.prove();
    else if (s === this.#current && this.#next && !s.session.goneAway) this.#dropNext();
    this.changed();
  }

  /** The server has answered on a session: it has not turned this client away. */
  proved(s: ClientSession): void {
    const old = this.#current;
    if (s !== this.#next || !s.session.takesStreams) return;
    this.#current = s;
    this.#next = undefined;
    if (old) this.#leave(old, s.session);
    const { goneAway } = s.session;
    if (goneAway) this.goaway(s, goneAway);
    this.changed();
  }

  #dropNext(): void {
    const next = this.#next;
    this.#next = undefined;
    if (next?.session.greeted) {
      // The server may have opened streams on it.
      this.#old.add(next);
      next.session.retire();
    } else next?.session.close(1000, new ParleyError("the session is not needed", Code.Canceled));
  }

  /** Has a session finish its calls. */
  #leave(s: ClientSession, to: Session): void {
    this.#old.add(s);
    s.session.handOver(to);
    s.session.retire();
  }

  /** Another server takes calls, for good: those that wait here go there, and a session that goes away is left. */
  yieldTo(to: Session): void {
    const s = this.#current;
    if (!s) return;
    if (s.state !== "ready") s.session.handOver(to);
    else if (s.session.goneAway) this.#leaveFor(s, to);
  }

  /** Goes on without the current session, and comes back when its server has gone. */
  #leaveFor(s: ClientSession, to: Session): void {
    this.#current = undefined;
    this.#dropNext();
    this.#leave(s, to);
    if (this.conn.free(this.urls).length) this.#begin();
    else this.#resting = true;
  }

  goaway(s: ClientSession, g: Goaway): void {
    const delay = Math.min(g.delay, MOST_LONGER);
    if (s === this.#next && !isNotice(g)) {
      this.#dropNext();
      this.#next = this.#make();
      this.#next.announce(delay, this.#haste(s));
    }
    if (s !== this.#current) return;
    this.#address = acceptable(s.url, g.address);
    const other = this.conn.lastingBeside(this);
    if (other) this.#leaveFor(s, other);
    else {
      const next = this.#next;
      if (!next) {
        this.#next = this.#make();
        this.#next.announce(delay, this.#haste(s));
      }
      if (!isNotice(g)) this.#promote(s);
      this.conn.rouse();
    }
    this.changed();
  }

  /** Has new calls made on the next session, though it is not there yet. */
  #promote(old: ClientSession): void {
    const next = (this.#current = this.#next as ClientSession);
    const failed = next.state === "failed";
    this.#next = undefined;
    old.session.handOver(next.session, failed);
    if (failed) old.session.failPending(next.error as ParleyError);
    if (!old.session.error) this.#leave(old, next.session);
    if (next.session.busy) next.hasten();
    const { goneAway } = next.session;
    if (goneAway) this.goaway(next, goneAway);
  }

  over(s: ClientSession, error: ParleyError, code: number): void {
    if (this.conn.state === "closed") return;
    const current = s === this.#current;
    this.#replaced = s.session.replaced ?? this.#replaced;
    for (const { session } of this.sessions) if (!session.linked && !session.greeted) session.replaces = this.#replaced;
    if (!this.#old.delete(s) && (current || s === this.#next)) {
      if (current && this.#next && ending(code).comeback !== "stays") this.#promote(s);
      else {
        if (current) this.#dropNext();
        const made = this.#follow(s, error, code);
        if (current) this.#current = made;
        else this.#next = made;
        if (made) s.session.handOver(made.session, made.state === "failed");
        made?.go();
      }
      this.changed();
    }
    this.conn.reconsider();
  }

  /** What follows on a session that is over: another one, which is to be started, or none. */
  #follow(s: ClientSession, error: ParleyError, code: number): ClientSession | undefined {
    const asked = Math.min(s.session.goneAway?.delay ?? 0, MOST_LONGER);
    const made = this.#make();
    made.error = error;
    if (isRefusal(s.session, code)) {
      const turned = new TurnedAway(error.rawMessage, asked);
      this.turnedAway(s.url, turned);
      const wait = this.#turn(turned);
      if (wait !== undefined) return made.after(wait);
    }
    const { comeback } = ending(code);
    const delay = Math.max(this.#delay(comeback, s), asked);
    if (comeback !== "stays") {
      if (delay > 0) made.state = "failed";
      return made.after(delay);
    }
    if (code === 1000) this.#failures = 0;
    else this.#refused = { error, until: Date.now() + delay };
    return undefined;
  }

  /** Tells the connection. */
  changed(): void {
    this.conn.changed(this);
  }
}

/** Whether the server has turned a client away before it has served anything: there may be others that do not. */
function isRefusal({ greeted, goneAway }: Session, code: number): boolean {
  if (greeted) return goneAway?.status === Code.Unavailable && !goneAway.lastStream;
  return code !== LOST && ending(code).status === Code.Unavailable;
}

/** The address to come back to, if it is where this end has dialed (PROTOCOL.md, section 15.6). */
function acceptable(url: string, address: string): string {
  try {
    const [from, to] = [new URL(url), new URL(address)];
    return from.protocol === to.protocol && from.host === to.host && !to.username && !to.password ? to.href : "";
  } catch {
    return "";
  }
}
