import { ending, LOST } from "./closecode.js";
import { Code, toCode } from "./code.js";
import { Control } from "./control.js";
import { ParleyError } from "./error.js";
import type { Link, SessionEvents } from "./events.js";
import * as f from "./frame.js";
import { encodeGoaway, type Goaway, isNotice, NOTICE, parseGoaway } from "./goaway.js";
import { encodeHello, type Hello, parseHello, protocolDefaults, type Replaced, type Settings } from "./hello.js";
import { Keepalive } from "./keepalive.js";
import { pack } from "./pack.js";
import { ACK_DELAY } from "./received.js";
import { Resumption } from "./resumption.js";
import { CANCEL, LIMIT, REFUSED, Stream } from "./stream.js";
import { Streams } from "./streams.js";
import { after, type Timer } from "./timer.js";
import { concat, cut, Reader, RuleError, utf8 } from "./varint.js";
import type { Budget } from "./window.js";
import { Writer } from "./writer.js";

/** How long the close of a session that is done with is left to the peer, in milliseconds. */
const CLOSE_WAIT = 1_000;
/** How many bytes of refusals may wait to be sent, besides 64 for each stream that the peer may have open. */
const MOST_PROVOKED = 64 << 10;
const GROWTH = 8 << 20;

/** A dialer's end of a session: streams that outlive the link they use (PROTOCOL.md, sections 5 to 10). */
export class Session {
  peer: Settings = protocolDefaults();
  /** Whether the peer's HELLO has arrived, in this session. */
  greeted = false;
  /** The numbers that the peer has given to methods (PROTOCOL.md, section 11.3). */
  aliases = new Map<string, number>();
  budget: Budget = { left: GROWTH };
  /** The latest GOAWAY of the peer. */
  goneAway: Goaway | undefined;
  error: ParleyError | undefined;
  /** A session that is lost, which this one replaces. */
  replaces: Replaced | undefined;
  /** Names this one, if it has ended while it had no link. */
  replaced: Replaced | undefined;
  /** Called at the next PONG. */
  #proved: (() => void) | undefined;

  #link: Link | undefined;
  #helloDue = false; // on this link
  #asked = false; // on this link, to resume
  #cause: ParleyError | undefined;
  #retired = false;
  #draining: AbortController | undefined;

  #streams = new Streams();
  #resumption = new Resumption();
  #control = new Control();
  #keepalive = new Keepalive(
    () => {
      this.#control.ping();
      this.#schedule();
    },
    (why) => this.giveUp(why),
  );

  #writer: Writer;

  #acking: Timer | undefined;
  #grace: Timer | undefined;
  #leaving: Timer | undefined;

  constructor(
    readonly settings: Settings,
    private events: SessionEvents,
  ) {
    const writable = () => (this.#helloDue && this.#asked ? undefined : this.#link);
    this.#writer = new Writer({
      get writable() {
        return writable();
      },
      next: () => this.#next(),
      stalled: () => this.giveUp("writing makes no progress"),
    });
  }

  /** Whether it waits for another link. */
  get away(): boolean {
    return !this.#link && !this.error && this.#resumption.inForce;
  }

  /** Whether it has a link. */
  get linked(): boolean {
    return !!this.#link;
  }

  /** Whether new streams can be opened, now or when there is a link. */
  get takesStreams(): boolean {
    return !this.error && !this.#retired && (!this.goneAway || isNotice(this.goneAway));
  }

  /** Whether streams are open, or wait to be. */
  get busy(): boolean {
    return this.#streams.size > 0;
  }

  get #window(): number {
    return Math.min(this.settings.resumeWindow, this.peer.resumeWindow);
  }

  /** Begins on a link, or goes on. */
  attach(link: Link): void {
    this.#link = link;
    this.#helloDue = true;
    const resume = this.#resumption.ask();
    this.#asked = !!resume;
    link.send(f.encodeFrame(f.HELLO, 0, encodeHello(this.settings, resume, this.replaces)));
    this.#keepalive.start();
    this.#writer.start();
  }

  /**
   * Opens a stream as soon as the peer's limits allow. header is called when it is sent. A patient one waits on when an
   * attempt to connect has failed.
   */
  open(header: (session: Session) => Uint8Array, patient = false): Stream {
    const stream = new Stream(this, header, patient);
    this.#streams.pending.add(stream);
    this.#schedule();
    return stream;
  }

  /** Hands streams that wait to be opened over to another session: all, or the patient ones. */
  handOver(to: Session, patientOnly = false): void {
    for (const s of [...this.#streams.pending]) {
      if (patientOnly && !s.patient) continue;
      this.#streams.pending.delete(s);
      s.session = to;
      to.#streams.pending.add(s);
    }
    to.#schedule();
    this.#leaveIfDone();
  }

  /** Ends the session and all of its streams. */
  close(code: number, error: ParleyError): void {
    const link = this.#link;
    if (!link) this.replaced = this.#resumption.name; // the peer does not hear of it
    this.#end(error, code);
    link?.close(code, error.rawMessage);
  }

  /** Gives the link up. The session is resumed if it can be. */
  giveUp(reason: string): void {
    const link = this.#link;
    if (!link) return;
    this.linkEnded(LOST, reason);
    link.close();
  }

  /** Asks for a sign of life, which has to come soon. alive is called with it, unless the link is lost before. */
  probe(ms: number, alive?: () => void): void {
    if (!this.#link || this.#helloDue) return;
    this.#proved = alive ?? this.#proved;
    this.#keepalive.ask(ms);
  }

  /** The link has ended with a code. */
  linkEnded(code: number, reason: string): void {
    this.#link = undefined;
    this.#stopTimers();
    const { status } = ending(code);
    // A server says first that the session ends. Without that, a proxy has closed the link.
    const lost = code === LOST || ((code === 1001 || code === 1012) && !this.goneAway?.status);
    const what = code === LOST ? "the link was lost" : `closed with code ${code}`;
    const error = this.#cause ?? new ParleyError(`${what}${reason && `: ${reason}`}`, status);
    const again = lost || (this.#asked && this.#helloDue && this.events.comesBack(code));
    if (!this.#resumption.inForce || this.#cause || !again) return this.#end(error, code);
    const late = new ParleyError(`${error.rawMessage}, and there was no other in time`, Code.Unavailable);
    this.#grace ??= after(this.#window, () => this.close(LOST, late));
    this.events.lost(error, lost ? LOST : code);
  }

  #end(error: ParleyError, code: number): void {
    if (this.error) return;
    this.error = error;
    this.#link = undefined;
    this.#stopTimers();
    clearTimeout(this.#grace);
    this.events.over(error, code); // first, so that a call that is made again finds another session
    // What was sent early on a link that the peer has refused was not seen (section 3.4).
    const last = code > 4000 && code < 4100 && !this.greeted ? 0 : (this.goneAway?.lastStream ?? NOTICE);
    this.#failAll(error, last);
    this.failPending(error, true);
  }

  /** Fails the streams that wait to be opened, except for patient ones where waiting may help. */
  failPending(error: ParleyError, all = false): void {
    for (const s of [...this.#streams.pending]) {
      if (all || !s.patient || error.code !== Code.Unavailable) s.fail(error, all);
    }
  }

  /** Fails the streams; those that this end has opened above the last were not seen. */
  #failAll(error: ParleyError, last = NOTICE): void {
    for (const s of this.#streams.all()) s.fail(error, !!s.makeHeader && s.id > last);
  }

  #stopTimers(): void {
    this.#keepalive.stop();
    this.#proved = undefined;
    this.#writer.stop();
    clearTimeout(this.#acking);
    clearTimeout(this.#leaving);
    this.#acking = this.#leaving = undefined;
  }

  // What arrives.

  /** Takes what has arrived on the link: an ArrayBuffer, or a text. */
  receive(data: unknown): void {
    if (!this.#link) return;
    const now = this.#keepalive.heard();
    try {
      if (typeof data === "string") throw new RuleError("L1", 1003);
      this.#read(new Reader(new Uint8Array(data as ArrayBuffer)), now);
    } catch (e) {
      if (!(e instanceof RuleError)) throw e;
      const what = e.code === 1009 ? "too large a frame" : e.code === 1003 ? "a text message" : "a malformed frame";
      this.close(e.code, new ParleyError(`${what} has arrived: ${e.message}`, ending(e.code).status));
    }
    this.#schedule();
  }

  #read(r: Reader, now: number): void {
    const { maxFrame } = this.settings;
    if (r.done) throw new RuleError("L2");
    if (r.bytes.length > maxFrame + f.SLACK) throw new RuleError("L3", 1009);
    while (!r.done && !this.error) {
      const start = r.at;
      if (start >= f.SLACK) throw new RuleError("L9");
      const frame = f.readFrame(r, maxFrame);
      if (this.#helloDue && frame?.type !== f.HELLO) throw new RuleError("N1");
      if (!frame) continue;
      if (frame.type === f.HELLO) this.#hello(frame.payload);
      else if (frame.id) this.#streamFrame(frame);
      else this.#sessionFrame(frame);
      if (f.isSequenced(frame.type)) this.#resumption.received.take(r.at - start, now);
    }
    if (this.#resumption.inForce && this.#resumption.received.owed && this.#link) {
      this.#acking ??= setTimeout(() => this.#writer.flush(), ACK_DELAY);
    }
    this.#leaveIfDone();
  }

  #hello(payload: Uint8Array): void {
    if (!this.#helloDue) throw new RuleError("N2");
    const h = parseHello(payload);
    if (this.#asked !== (h.resumed !== undefined)) throw new RuleError("N7");
    if (h.resumed) this.#resumption.resume(h);
    else this.#begin(h);
    if (this.error) return;
    this.#helloDue = false;
    this.greeted = true;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#keepalive.greeted(Math.min(this.settings.keepalive, this.peer.keepalive));
    if (h.resumed) this.#goOn();
    for (const s of this.#streams.all()) s.raise(this.peer.initialWindow);
    this.events.ready(!!h.resumed);
  }

  /** The link carries a session that is new, though this end may have asked for another. */
  #begin(h: Hello): void {
    if (this.#asked) this.#startAgain();
    if (this.error) return;
    this.peer = h.settings;
    this.#resumption.begin(h, this.#window);
  }

  /** Sends again what the peer has missed (PROTOCOL.md, section 8.4). */
  #goOn(): void {
    const announced = this.#streams.all().filter((s) => s.announced);
    const windows = announced.map((s) => f.encodeFrame(f.WINDOW, s.id, f.encodeNumber(s.announced)));
    for (const message of this.#resumption.messages(this.#ack(), windows)) this.#link?.send(message);
  }

  /** The peer has forgotten the session: another begins on the same link. What was not opened yet goes there. */
  #startAgain(): void {
    this.#failAll(new ParleyError("the session is lost: the server has forgotten it", Code.Unavailable));
    this.#streams.reset();
    this.#resumption = new Resumption();
    this.#control = new Control();
    this.aliases.clear();
    this.goneAway = undefined;
    if (!this.#retired) return;
    // It is not needed, but the peer may have opened streams on it.
    this.#control.goaway(encodeGoaway(NOTICE));
    this.#leaveIfDone();
  }

  #sessionFrame({ type, payload }: f.Frame): void {
    if (type === f.ACK) {
      const n = f.readNumber(payload);
      const { replay, inForce } = this.#resumption;
      if (inForce && !replay.ack(n)) throw new RuleError(n < replay.acked ? "A1" : "A2");
    } else if (type === f.GOAWAY) this.#goaway(parseGoaway(payload));
    else if (payload.length !== 8) throw new RuleError("F10");
    else if (type === f.PING) this.#control.pong(payload);
    else {
      this.#proved?.();
      this.#proved = undefined;
    }
  }

  /** Aborted when either end has said that it goes away. */
  get draining(): AbortSignal {
    this.#draining ??= new AbortController();
    if (this.goneAway || this.#retired) this.#draining.abort();
    return this.#draining.signal;
  }

  #goaway(g: Goaway): void {
    if (g.lastStream > (this.goneAway?.lastStream ?? NOTICE)) throw new RuleError("A6");
    this.goneAway = g;
    this.#draining?.abort();
    const error = new ParleyError(`the server goes away${g.reason && `: ${g.reason}`}`, toCode(g.status || Code.Unavailable));
    if (g.status)
      this.#cause = error; // the end of the link follows
    else {
      this.events.goaway(g);
      for (const s of this.#streams.all()) if (s.makeHeader && s.id > g.lastStream) s.fail(error, true);
    }
  }

  #streamFrame(frame: f.Frame): void {
    const { type, flags, id, payload } = frame;
    const { maxHeader } = this.settings;
    if (type === f.OPEN) return this.#opened(id, flags, payload, payload.length > maxHeader);
    if (!this.#streams.wasOpened(id)) throw new RuleError("S3");
    const { limit, reset } = f.readControl(frame); // its form counts even if the stream is closed
    const stream = this.#streams.get(id);
    if (reset) stream?.wasReset(...reset);
    else if (limit !== undefined) stream?.raise(limit);
    else stream?.take(frame, maxHeader);
  }

  #opened(id: number, flags: number, header: Uint8Array, tooLong: boolean): void {
    const own = id % 2 === 1;
    if (own || id <= this.#streams.highest) throw new RuleError(own ? "S1" : "S2");
    this.#streams.highest = id;
    if (this.#streams.others >= this.settings.maxStreams) return this.sendReset(id, REFUSED, "too many streams");
    if (tooLong) return this.sendReset(id, LIMIT, "the header is too large");
    const stream = new Stream(this);
    this.#streams.accept(stream, id);
    this.events.stream(stream, header.slice());
    if (flags & f.FLAG_END) stream.trailer(new Uint8Array());
  }

  // What is sent.

  /** Has the stream send when it can. */
  wake(stream: Stream): void {
    if (stream.id) this.#streams.ready.add(stream);
    this.#schedule();
  }

  /** Gives credit. */
  announce(stream: Stream, limit: number): void {
    this.#control.window(stream.id, limit);
    this.#schedule();
  }

  sendReset(id: number, code: number, reason: string): void {
    const control = this.#control;
    const most = MOST_PROVOKED + 64 * this.settings.maxStreams;
    const text = code === CANCEL || control.provoked > most / 2 ? "" : cut(reason, 1024);
    control.reset(id, concat([f.encodeNumber(code), utf8(text)]));
    if (control.provoked > most) this.#flood();
    this.#schedule();
  }

  /** Called by a stream that is closed. */
  forget(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#control.forget(stream.id);
    this.#leaveIfDone();
    this.#schedule();
  }

  /** Has this end open no more streams, which the peer is told, and the session end when it is done with. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#draining?.abort();
    this.#control.goaway(encodeGoaway(NOTICE));
    this.#schedule();
    this.#leaveIfDone();
  }

  /** Says goodbye, at once, and ends the session. A page that is about to go sends nothing later. */
  leave(error: ParleyError): void {
    const last = encodeGoaway(this.#streams.highest);
    if (this.greeted && !this.#helloDue) this.#link?.send(f.encodeFrame(f.GOAWAY, 0, last));
    this.close(1000, error);
  }

  /** Leaves the close to the peer for a while, where no stream is open and the peer opens none that is not on its way. */
  #leaveIfDone(): void {
    if (!this.#retired || this.busy || !this.#link || (this.goneAway && isNotice(this.goneAway))) return;
    this.#resumption.received.hasten(); // the peer waits for that
    this.#leaving ??= setTimeout(() => {
      this.#leaving = undefined;
      if (!this.busy) this.leave(new ParleyError("the session has drained", Code.Canceled));
    }, CLOSE_WAIT);
  }

  #schedule(): void {
    this.#writer.schedule();
  }

  #next(): Uint8Array<ArrayBuffer> | undefined {
    const message = pack({
      streams: this.#streams,
      control: this.#control,
      resumption: this.#resumption,
      session: this,
      ack: () => this.#ack(),
    });
    const most = 2 * this.settings.replayLimit + this.peer.maxFrame;
    if (this.#resumption.replay.bytes <= most) return message;
    this.#flood();
    return undefined;
  }

  #flood(): void {
    this.close(4008, new ParleyError("the other end does not keep up", Code.ResourceExhausted));
  }

  #ack(): Uint8Array<ArrayBuffer> {
    clearTimeout(this.#acking);
    this.#acking = undefined;
    return f.encodeFrame(f.ACK, 0, f.encodeNumber(this.#resumption.received.ack()));
  }
}
