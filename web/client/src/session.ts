import { ending, LOST } from "./closecode.js";
import { Code, toCode } from "./code.js";
import { ParleyError, tooLong } from "./error.js";
import type { Link, SessionEvents } from "./events.js";
import * as f from "./frame.js";
import { type Goaway, parseGoaway } from "./goaway.js";
import { encodeHello, parseHello, protocolDefaults, type Settings } from "./hello.js";
import { ACK_DELAY, Received } from "./received.js";
import { Replay } from "./replay.js";
import { CANCEL, LIMIT, REFUSED, Stream } from "./stream.js";
import { concat, cut, Reader, RuleError, utf8 } from "./varint.js";
import type { Budget } from "./window.js";

/** While so many bytes wait in the WebSocket nothing is added to them. */
const HIGH_WATER = 256 << 10;
const POLL = 4;
const BATCH = f.BEGIN / 2;
const HELLO_TIMEOUT = 10_000;
const PONG_TIMEOUT = 10_000;
const WRITE_TIMEOUT = 30_000;
const MOST_RESETS = 10_000;
const GROWTH = 8 << 20;

type Timer = ReturnType<typeof setTimeout>;

/** A dialer's end of a session: streams that outlive the link they use (PROTOCOL.md, sections 5 to 10). */
export class Session {
  peer: Settings = protocolDefaults();
  /** Whether the other end's HELLO has arrived, in this session. */
  greeted = false;
  /** The numbers that the other end has given to methods (PROTOCOL.md, section 11.3). */
  aliases = new Map<string, number>();
  budget: Budget = { left: GROWTH };
  goneAway: Goaway | undefined;
  error: ParleyError | undefined;

  #link: Link | undefined;
  #helloDue = false; // on this link
  #asked = false; // on this link, to resume
  #id: Uint8Array | undefined;
  #token: Uint8Array | undefined;
  #attempt = 0;
  #cause: ParleyError | undefined;
  #retired = false;

  #streams = new Map<number, Stream>();
  #pending = new Set<Stream>();
  #ready = new Set<Stream>();
  #nextId = 1;
  #highest = 0; // of the other end
  #own = 0;
  #others = 0;

  #replay = new Replay();
  #received = new Received();

  #pong: Uint8Array | undefined;
  #ping = false;
  #resets: (readonly [id: number, payload: Uint8Array])[] = [];
  #windows = new Map<number, number>();
  #scheduled = false;

  #heard = 0;
  #pinged = 0;
  #buffered = 0;
  #progress = 0;
  #watching: Timer | undefined;
  #acking: Timer | undefined;
  #polling: Timer | undefined;
  #grace: Timer | undefined;

  constructor(
    readonly settings: Settings,
    private events: SessionEvents,
  ) {}

  /** Whether it waits for another link. */
  get away(): boolean {
    return !this.#link && !this.error && !!this.#token;
  }

  /** Whether it has a link. */
  get linked(): boolean {
    return !!this.#link;
  }

  /** Whether streams are open. */
  get busy(): boolean {
    return this.#streams.size + this.#pending.size > 0;
  }

  get #window(): number {
    return Math.min(this.settings.resumeWindow, this.peer.resumeWindow);
  }

  get #keepalive(): number {
    return Math.min(this.settings.keepalive, this.peer.keepalive);
  }

  /** Begins on a link, or goes on. */
  attach(link: Link): void {
    this.#link = link;
    this.#helloDue = true;
    this.#asked = !!this.#token;
    this.#heard = this.#progress = Date.now();
    const resume = this.#token && {
      session: this.#id as Uint8Array,
      token: this.#token,
      received: this.#received.count,
      attempt: ++this.#attempt,
    };
    link.send(f.encodeFrame(f.HELLO, 0, encodeHello(this.settings, resume)));
    this.#watch(HELLO_TIMEOUT);
    this.#schedule();
  }

  /** Opens a stream as soon as the other end's limits allow. header is called when it is sent. */
  open(header: (session: Session) => Uint8Array): Stream {
    const stream = new Stream(this, header);
    this.#pending.add(stream);
    this.#schedule();
    return stream;
  }

  /** Ends the session and all of its streams. */
  close(code: number, error: ParleyError): void {
    const link = this.#link;
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

  /** Asks for a sign of life, which has to come soon. */
  probe(ms: number): void {
    if (this.#link && !this.#helloDue) this.#sendPing(ms);
  }

  /** The link has ended with a code. */
  linkEnded(code: number, reason: string): void {
    this.#link = undefined;
    this.#stopTimers();
    const { status, comeback } = ending(code);
    const lost = code === LOST;
    const text = lost ? `the link was lost${reason && `: ${reason}`}` : `closed with code ${code}${reason && `: ${reason}`}`;
    const error = this.#cause ?? new ParleyError(text, status);
    if (this.#token && !this.#cause && (lost || (this.#asked && this.#helloDue && comeback !== "stays"))) {
      this.#grace ??= setTimeout(
        () => this.#end(new ParleyError(`${text}, and there was no other in time`, Code.Unavailable), LOST),
        this.#window,
      );
      this.events.lost(error, code);
    } else this.#end(error, code);
  }

  #end(error: ParleyError, code: number): void {
    if (this.error) return;
    this.error = error;
    this.#link = undefined;
    this.#stopTimers();
    clearTimeout(this.#grace);
    this.events.over(error, code); // first, so that a call that is made again finds another session
    this.#failAll(error);
    this.failPending(error);
  }

  /** Fails the streams that wait to be opened. */
  failPending(error: ParleyError): void {
    for (const s of [...this.#pending]) s.fail(error, true);
  }

  #failAll(error: ParleyError): void {
    for (const s of [...this.#streams.values()]) s.fail(error, false);
  }

  #stopTimers(): void {
    clearTimeout(this.#watching);
    clearTimeout(this.#acking);
    clearTimeout(this.#polling);
    this.#acking = this.#polling = undefined;
    this.#pinged = 0;
  }

  // What arrives.

  /** Takes what has arrived on the link: an ArrayBuffer, or a text. */
  receive(data: unknown): void {
    if (!this.#link) return;
    this.#heard = Date.now();
    this.#pinged = 0;
    try {
      if (typeof data === "string") throw new RuleError("L1", 1003);
      this.#read(new Reader(new Uint8Array(data as ArrayBuffer)));
    } catch (e) {
      if (!(e instanceof RuleError)) throw e;
      const what = e.code === 1009 ? "too large a frame" : e.code === 1003 ? "a text message" : "a malformed frame";
      this.close(e.code, new ParleyError(`${what} has arrived: ${e.message}`, ending(e.code).status));
    }
    this.#schedule();
  }

  #read(r: Reader): void {
    const { maxFrame } = this.settings;
    if (r.done) throw new RuleError("L2");
    if (r.bytes.length > maxFrame + f.SLACK) throw new RuleError("L3", 1009);
    while (!r.done && !this.error) {
      const start = r.at;
      const frame = f.readFrame(r, maxFrame);
      if (this.#helloDue && frame?.type !== f.HELLO) throw new RuleError("N1");
      if (!frame) continue;
      if (frame.type === f.HELLO) this.#hello(frame.payload);
      else if (frame.id) this.#streamFrame(frame);
      else this.#sessionFrame(frame);
      if (f.isSequenced(frame.type)) this.#received.take(r.at - start, this.#heard);
    }
    if (this.#token && this.#received.owed && this.#link) this.#acking ??= setTimeout(() => this.#flush(), ACK_DELAY);
  }

  #hello(payload: Uint8Array): void {
    if (!this.#helloDue) throw new RuleError("N2");
    const h = parseHello(payload);
    if (this.#asked !== (h.resumed !== undefined)) throw new RuleError("N7");
    if (h.resumed) {
      if (`${h.session}` !== `${this.#id}`) throw new RuleError("N7");
      if (!this.#replay.ack(h.received)) throw new RuleError("A8");
    } else {
      if (this.#asked) this.#startAnew();
      if (this.error) return;
      this.peer = h.settings;
      if (this.#window && !h.token) throw new RuleError("N7");
      this.#id = this.#window ? h.session : undefined;
    }
    this.#token = this.#window ? h.token : undefined;
    if (!this.#token) this.#replay = new Replay(); // nothing will be sent again
    this.#helloDue = false;
    this.greeted = true;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#watch(this.#keepalive);
    if (h.resumed) this.#goOn();
    for (const s of this.#streams.values()) s.raise(this.peer.initialWindow);
    this.events.ready(!!h.resumed);
  }

  /** Sends again what the other end has missed (PROTOCOL.md, section 8.4). */
  #goOn(): void {
    const out = [this.#ack(), ...this.#replay.frames];
    for (const s of this.#streams.values()) {
      if (s.announced) out.push(f.encodeFrame(f.WINDOW, s.id, f.encodeNumber(s.announced)));
    }
    let parts: Uint8Array[] = [];
    let size = 0;
    for (const frame of out) {
      parts.push(frame);
      size += frame.length;
      if (size < BATCH && frame !== out.at(-1)) continue;
      this.#link?.send(concat(parts));
      parts = [];
      size = 0;
    }
  }

  /** The other end has forgotten the session: another begins on the same link. What was not opened yet goes there. */
  #startAnew(): void {
    this.#failAll(new ParleyError("the session is lost: the server has forgotten it", Code.Unavailable));
    this.#replay = new Replay();
    this.#nextId = 1;
    this.#attempt = this.#highest = 0;
    this.#received = new Received();
    this.#resets = [];
    this.#windows.clear();
    this.aliases.clear();
  }

  #sessionFrame({ type, payload }: f.Frame): void {
    if (type === f.ACK) {
      const n = f.readNumber(payload);
      if (this.#token && !this.#replay.ack(n)) throw new RuleError(n < this.#replay.acked ? "A1" : "A2");
    } else if (type === f.GOAWAY) this.#goaway(parseGoaway(payload));
    else if (payload.length !== 8) throw new RuleError("F10");
    else if (type === f.PING) this.#pong = payload.slice();
  }

  #goaway(g: Goaway): void {
    if (g.lastStream > (this.goneAway?.lastStream ?? g.lastStream)) throw new RuleError("A6");
    this.goneAway = g;
    const error = new ParleyError(`the server goes away${g.reason && `: ${g.reason}`}`, toCode(g.status || Code.Unavailable));
    if (g.status) this.#cause = error;
    this.events.goaway(g);
    for (const s of [...this.#streams.values()]) if (s.makeHeader && s.id > g.lastStream) s.fail(error, true);
    this.failPending(error);
  }

  #streamFrame({ type, flags, id, payload }: f.Frame): void {
    const own = id % 2 === 1;
    const tooLong = type !== f.DATA && f.isSequenced(type) && type !== f.RESET && payload.length > this.settings.maxHeader;
    if (type === f.OPEN) {
      this.#opened(id, flags, payload, own, tooLong);
      return;
    }
    if (own ? id >= this.#nextId : id > this.#highest) throw new RuleError("S3");
    // Its form counts even if the stream is closed.
    const limit = type === f.WINDOW ? f.readNumber(payload) : 0;
    const reset = type === f.RESET ? f.readReset(payload) : undefined;
    const stream = this.#streams.get(id);
    if (!stream) return;
    let fault: [code: number, rule: string] | undefined;
    if (reset) stream.wasReset(...reset);
    else if (type === f.WINDOW) stream.raise(limit);
    else if (tooLong) fault = [LIMIT, "S12"];
    else if (type === f.DATA) fault = stream.data(flags, payload);
    else fault = type === f.END ? stream.trailer(payload) : stream.header(payload);
    if (!fault) return;
    const [what, status] =
      fault[0] === LIMIT ? ["over a limit of this end", Code.ResourceExhausted] : ["not as it must be", Code.Internal];
    stream.reset(fault[0], new ParleyError(`what the other end has sent is ${what}: ${new RuleError(fault[1]).message}`, status));
  }

  #opened(id: number, flags: number, header: Uint8Array, own: boolean, tooLong: boolean): void {
    if (own || id <= this.#highest) throw new RuleError(own ? "S1" : "S2");
    this.#highest = id;
    if (this.#others >= this.settings.maxStreams) return this.sendReset(id, REFUSED, "too many streams");
    if (tooLong) return this.sendReset(id, LIMIT, "the header is too large");
    const stream = new Stream(this);
    stream.begin(id);
    this.#streams.set(id, stream);
    this.#others++;
    this.events.stream(stream, header.slice());
    if (flags & f.FLAG_END) stream.trailer(new Uint8Array());
  }

  // What is sent.

  /** Has the stream send when it can. */
  wake(stream: Stream): void {
    if (stream.id) this.#ready.add(stream);
    this.#schedule();
  }

  /** Gives credit. */
  announce(stream: Stream, limit: number): void {
    this.#windows.set(stream.id, limit);
    this.#schedule();
  }

  sendReset(id: number, code: number, reason: string): void {
    this.#resets.push([id, concat([f.encodeNumber(code), utf8(code === CANCEL ? "" : cut(reason, 1024))])]);
    this.#schedule();
  }

  /** Called by a stream that is closed. */
  forget(stream: Stream): void {
    this.#pending.delete(stream);
    this.#ready.delete(stream);
    if (this.#streams.delete(stream.id)) {
      if (stream.makeHeader) this.#own--;
      else this.#others--;
      this.#windows.delete(stream.id);
    }
    this.#closeIfIdle();
    this.#schedule();
  }

  /** Has it end when its streams are closed. */
  retire(): void {
    this.#retired = true;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#retired && !this.error && !this.busy) {
      this.close(1000, new ParleyError("the session has drained", Code.Canceled));
    }
  }

  #schedule(): void {
    if (this.#scheduled || !this.#link) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Puts what is ready into link messages, control frames first, streams in turns. */
  #flush(): void {
    for (;;) {
      const link = this.#link;
      if (!link || (this.#helloDue && this.#asked)) return;
      if (link.bufferedAmount > HIGH_WATER) return this.#wait(link.bufferedAmount);
      this.#progress = Date.now();
      this.#buffered = 0;
      const parts: ArrayLike<number>[] = [];
      const kept: [from: number, to: number][] = [];
      let size = 0;
      const emit = (head: number, id: number, payload: Uint8Array) => {
        const start = f.encodeStart(head, id, payload.length);
        const from = size;
        parts.push(start, payload);
        size += start.length + payload.length;
        if (f.isSequenced(head & 0x0f) && (this.#token || !this.greeted)) kept.push([from, size]);
      };
      const full = () => size >= BATCH || this.#replay.bytes + size >= this.settings.replayLimit;
      this.#emitControl(emit);
      for (const s of this.#pending) if (full() || !this.#emitOpen(s, emit)) break;
      for (const s of this.#ready) {
        if (full()) break;
        this.#ready.delete(s);
        if (s.emit(emit)) this.#ready.add(s);
      }
      const { replayLimit } = this.peer;
      if (this.#token && (size ? this.#received.owed : this.#received.due(replayLimit, this.#progress))) parts.push(this.#ack());
      if (!parts.length) return;
      const message = concat(parts);
      // Frames are kept where they are, so that what is sent is copied once.
      for (const [from, to] of kept) this.#replay.push(message.subarray(from, to));
      if (this.#replay.bytes > 2 * this.settings.replayLimit || this.#resets.length > MOST_RESETS) {
        return this.close(4008, new ParleyError("the other end does not keep up", Code.ResourceExhausted));
      }
      link.send(message);
    }
  }

  #emitControl(emit: (head: number, id: number, payload: Uint8Array) => void): void {
    if (this.#pong) emit(f.PONG, 0, this.#pong);
    if (this.#ping) emit(f.PING, 0, new Uint8Array(8));
    this.#pong = undefined;
    this.#ping = false;
    for (const [id, payload] of this.#resets.splice(0, 1000)) emit(f.RESET, id, payload);
    for (const [id, limit] of this.#windows) emit(f.WINDOW, id, f.encodeNumber(limit));
    this.#windows.clear();
  }

  #emitOpen(s: Stream, emit: (head: number, id: number, payload: Uint8Array) => void): boolean {
    if (this.#own >= this.peer.maxStreams) return false;
    const header = (s.makeHeader as (session: Session) => Uint8Array)(this);
    if (header.length > this.peer.maxHeader) {
      if (!this.greeted) return false;
      s.fail(tooLong("header", header.length, this.peer.maxHeader), false);
      return true;
    }
    this.#pending.delete(s);
    s.begin(this.#nextId);
    this.#nextId += 2;
    this.#own++;
    this.#streams.set(s.id, s);
    emit(f.OPEN, s.id, header);
    this.#ready.add(s);
    return true;
  }

  #ack(): Uint8Array<ArrayBuffer> {
    clearTimeout(this.#acking);
    this.#acking = undefined;
    return f.encodeFrame(f.ACK, 0, f.encodeNumber(this.#received.ack()));
  }

  /** WebSockets don't tell when they have sent something. */
  #wait(buffered: number): void {
    const now = Date.now();
    if (!this.#buffered || buffered < this.#buffered) this.#progress = now;
    this.#buffered = buffered;
    if (now - this.#progress > WRITE_TIMEOUT) return this.giveUp("writing makes no progress");
    this.#polling ??= setTimeout(() => {
      this.#polling = undefined;
      this.#flush();
    }, POLL);
  }

  // Liveness.

  #watch(ms: number): void {
    clearTimeout(this.#watching);
    this.#watching = setTimeout(() => {
      const now = Date.now();
      if (this.#helloDue) return this.giveUp("no HELLO in time");
      if (this.#pinged) return this.giveUp("no sign of life");
      const left = this.#heard + this.#keepalive - now;
      if (left > 0) this.#watch(left);
      else this.#sendPing(Math.min(this.#keepalive, PONG_TIMEOUT));
    }, ms);
  }

  #sendPing(wait: number): void {
    this.#ping = true;
    this.#pinged = Date.now();
    this.#schedule();
    this.#watch(wait);
  }
}
