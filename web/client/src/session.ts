import { closeAction, LOST } from "./closecode.js";
import { Control } from "./control.js";
import { Drain } from "./drain.js";
import { ParleyError } from "./error.js";
import type { Link, SessionEvents } from "./events.js";
import * as f from "./frame.js";
import { encodeGoaway, type Goaway, NO_LAST_STREAM, parseGoaway } from "./goaway.js";
import { encodeHello, type Hello, parseHello, protocolDefaults, type SessionRef, type Settings } from "./hello.js";
import { Keepalive } from "./keepalive.js";
import { IDLE_CLOSE_TIMEOUT, MAX_GROWTH, MAX_RESET_BYTES } from "./limits.js";
import { packLinkMessage } from "./linkmessage.js";
import { Resumption } from "./resumption.js";
import { RoundTrip } from "./roundtrip.js";
import * as Code from "./statuscodes.js";
import { Stream } from "./stream.js";
import { StreamTable } from "./streamtable.js";
import { Timer } from "./timer.js";
import { concat, cut, Reader, RuleError, utf8 } from "./varint.js";
import { type Budget, WINDOW_BUDGET } from "./window.js";
import { Writer } from "./writer.js";

/** The dialer's side of a session: streams that survive the link they use (PROTOCOL.md, sections 5 to 10). */
export class Session {
  peer: Settings = protocolDefaults();
  /** Whether the peer's HELLO has arrived in this session. */
  established = false;
  /** The aliases that the peer has assigned to methods (PROTOCOL.md, section 11.3). */
  aliases = new Map<string, number>();
  readonly drain = new Drain();
  readonly budget: Budget = { left: WINDOW_BUDGET };
  declare error: ParleyError | undefined;
  /** The lost session that this one replaces. */
  declare replaces: SessionRef | undefined;
  /** Identifies this session if it ended while detached. */
  declare lostRef: SessionRef | undefined;
  #link: Link | undefined;
  #awaitingHello = false; // on the current link

  #streams = new StreamTable();
  #resumption: Resumption;
  #control = new Control();
  #idleTimer = new Timer();
  readonly roundTrip = new RoundTrip();
  #keepalive = new Keepalive(
    this.roundTrip,
    () => {
      this.#control.ping();
      this.#schedule();
    },
    (why) => this.dropLink(why),
  );

  #writer = new Writer(
    () => (this.#awaitingHello && this.#resumption.requested ? undefined : this.#link),
    () => this.#next(),
    () => this.dropLink("the peer does not read"),
  );

  declare readonly settings: Settings;
  readonly #events: SessionEvents;

  constructor(settings: Settings, events: SessionEvents) {
    this.settings = settings;
    this.#events = events;
    this.#resumption = new Resumption(settings.replayLimit);
  }

  /** Reports whether the session is detached: its link is lost, and it may be resumed. */
  get detached(): boolean {
    return !this.#link && !this.error && this.#resumption.enabled;
  }

  /** Reports whether the session has a link. */
  get attached(): boolean {
    return !!this.#link;
  }

  /** Reports whether new streams can be opened, now or once there is a link. */
  get canOpen(): boolean {
    return !this.error && this.drain.canOpen;
  }

  /** Reports whether any stream is open or pending. */
  get busy(): boolean {
    return this.#streams.size > 0;
  }

  get #window(): number {
    return Math.min(this.settings.resumeWindow, this.peer.resumeWindow);
  }

  /** Starts or resumes the session on a link. */
  attach(link: Link): void {
    this.#link = link;
    this.#awaitingHello = true;
    link.send(f.encodeFrame(f.HELLO, 0, encodeHello(this.settings, this.#resumption.request(), this.replaces)));
    this.#keepalive.start();
    this.#writer.start();
  }

  /**
   * Opens a stream as soon as the peer's limits allow it. It calls header when it sends OPEN. With waitForReady the stream
   * stays pending after a failed attempt to connect.
   */
  open(header: (session: Session) => Uint8Array, waitForReady = false): Stream {
    const stream = new Stream(this, header, waitForReady);
    this.#streams.pending.add(stream);
    this.#schedule();
    return stream;
  }

  /** Moves pending streams to another session: all of them, or those that wait for a connection. */
  movePending(to: Session, waitingOnly = false): void {
    for (const s of this.#streams.takePending(waitingOnly)) {
      s.session = to;
      to.#streams.pending.add(s);
    }
    to.#schedule();
    this.#closeIfIdle();
  }

  /** Ends the session and fails all of its streams. */
  close(code: number, error: ParleyError): void {
    const link = this.#link;
    if (!link) this.lostRef = this.#resumption.ref; // the peer does not learn that the session has ended
    this.#end(error, code);
    link?.close(code, error.rawMessage);
  }

  /** Closes the link. The session is resumed if possible. */
  dropLink(reason: string): void {
    const link = this.#link;
    if (!link) return;
    this.linkClosed(LOST, reason);
    link.close();
  }

  /**
   * Sends a PING and drops the link unless something arrives within ms. It calls onAlive at the PONG, unless the link is lost
   * first.
   */
  probe(ms: number, onAlive?: () => void): void {
    if (this.#link && !this.#awaitingHello) this.#keepalive.probe(ms, onAlive);
  }

  /** Handles the end of the link. */
  linkClosed(code: number, reason: string): void {
    this.#link = undefined;
    this.#stopTimers();
    const { status } = closeAction(code);
    // A server that ends a session sends GOAWAY first. Without that, a proxy has closed the link.
    const lost = code === LOST || ((code === 1001 || code === 1012) && !this.drain.goaway?.status);
    const what = code === LOST ? "link lost" : `closed by the peer with code ${code}`;
    const { cause } = this.drain;
    const error = cause ?? new ParleyError(`${what}${reason && `: ${reason}`}`, status);
    const resumable = lost || (this.#resumption.requested && this.#awaitingHello && this.#events.mayReconnect(code));
    if (!this.#resumption.enabled || cause || !resumable) return this.#end(error, code);
    const late = new ParleyError(`session lost: not resumed in time: ${error.rawMessage}`, Code.Unavailable);
    this.#resumption.expiry.start(this.#window, () => this.close(LOST, late));
    this.#events.detached(error, lost ? LOST : code);
  }

  #end(error: ParleyError, code: number): void {
    if (this.error) return;
    this.error = error;
    this.#link = undefined;
    this.#stopTimers();
    this.#resumption.expiry.stop();
    this.#events.ended(error, code); // first, so that a retried call finds another session
    // The peer did not process streams that were sent before its HELLO on a link that it refused (section 3.4).
    const last = code > 4000 && code < 4100 && !this.established ? 0 : (this.drain.goaway?.lastStream ?? NO_LAST_STREAM);
    this.#streams.failOpen(error, last);
    this.failPending(error, true);
  }

  /** Fails pending streams. Streams that wait for a connection are kept if waiting may help. */
  failPending(error: ParleyError, all = false): void {
    this.#streams.failPending(error, all);
  }

  #stopTimers(): void {
    this.#keepalive.stop();
    this.#writer.stop();
    this.#resumption.received.stop();
    this.#idleTimer.stop();
  }

  // Inbound.

  /** Handles a message of the link: an ArrayBuffer, or text. */
  receive(data: unknown): void {
    if (!this.#link) return;
    const now = this.#keepalive.touch();
    try {
      if (typeof data === "string") throw new RuleError("L1", 1003);
      this.#handleMessage(new Reader(new Uint8Array(data as ArrayBuffer)), now);
    } catch (e) {
      if (!(e instanceof RuleError)) throw e;
      this.close(e.code, new ParleyError(e.message, closeAction(e.code).status));
    }
    this.#schedule();
  }

  #handleMessage(r: Reader, now: number): void {
    const { maxFrame } = this.settings;
    if (r.done) throw new RuleError("L2");
    if (r.bytes.length > maxFrame + f.MAX_OVERHEAD) throw new RuleError("L3", 1009);
    while (!r.done && !this.error) {
      const start = r.at;
      if (start >= f.MAX_OVERHEAD) throw new RuleError("L9");
      const frame = f.readFrame(r, maxFrame);
      if (this.#awaitingHello && frame?.type !== f.HELLO) throw new RuleError("N1");
      if (!frame) continue;
      if (frame.type === f.HELLO) this.#handleHello(frame.payload);
      else if (frame.id) this.#handleStreamFrame(frame);
      else this.#handleSessionFrame(frame, now);
      if (f.isSequenced(frame.type)) this.#resumption.received.add(r.at - start, now, this.peer.replayLimit);
    }
    if (this.#resumption.enabled && this.#link) this.#resumption.received.schedule(this.#writer.flush, now);
    this.#closeIfIdle();
  }

  #handleHello(payload: Uint8Array): void {
    if (!this.#awaitingHello) throw new RuleError("N2");
    const h = parseHello(payload);
    if (this.#resumption.requested !== (h.resumed !== undefined)) throw new RuleError("N7");
    if (h.resumed) this.#resumption.resume(h);
    else this.#startSession(h);
    if (this.error) return;
    this.#awaitingHello = false;
    this.established = true;
    this.#resumption.expiry.stop();
    this.#keepalive.helloReceived(Math.min(this.settings.keepalive, this.peer.keepalive));
    if (h.resumed) this.#link?.send(this.#resumption.ackFrame()); // what the peer has missed follows
    for (const s of this.#streams.open()) {
      if (s.credit) this.#control.window(s.id, s.credit);
      s.raiseLimit(this.peer.initialWindow);
    }
    this.#events.ready(!!h.resumed);
  }

  /** Starts a new session on the link, which may have been dialed to resume another one. */
  #startSession(h: Hello): void {
    if (this.#resumption.requested) this.#forgetSession();
    if (this.error) return;
    this.peer = h.settings;
    this.#resumption.start(h, this.#window);
  }

  /** The peer does not know the session: a new one starts on the same link. Pending streams move to it. */
  #forgetSession(): void {
    this.#streams.failOpen(new ParleyError("session lost: the peer does not know it", Code.Unavailable));
    this.#streams.reset();
    this.#resumption.expiry.stop();
    this.#resumption = new Resumption(this.settings.replayLimit);
    this.#control = new Control();
    this.aliases.clear();
    this.drain.goaway = undefined;
    if (!this.drain.stopped) return;
    // This session is not needed, but the peer may have opened streams on it.
    this.#control.goaway(encodeGoaway(NO_LAST_STREAM));
    this.#closeIfIdle();
  }

  #handleSessionFrame({ type, payload }: f.Frame, now: number): void {
    if (type === f.ACK) {
      const n = f.readNumber(payload);
      const { replay, enabled } = this.#resumption;
      if (enabled && !replay.ack(n, now)) throw new RuleError(n < replay.acked ? "A1" : "A2");
    } else if (type === f.GOAWAY) this.#handleGoaway(parseGoaway(payload));
    else if (payload.length !== 8) throw new RuleError("F10");
    else if (type === f.PING) this.#control.pong(payload);
    else this.#keepalive.pong();
  }

  #handleGoaway(g: Goaway): void {
    const error = this.drain.receive(g);
    if (g.status) return; // the end of the link follows
    this.#events.goaway(g);
    this.#streams.failAbove(error, g.lastStream);
  }

  #handleStreamFrame(frame: f.Frame): void {
    const { type, flags, id, payload } = frame;
    const { maxHeader } = this.settings;
    if (type === f.OPEN) return this.#handleOpen(id, flags, payload, payload.length > maxHeader);
    if (!this.#streams.wasOpened(id)) throw new RuleError("S3");
    const stream = this.#streams.get(id);
    // A malformed RESET or WINDOW is an error even if the stream is closed.
    if (type === f.RESET) {
      const reset = f.readReset(payload);
      stream?.handleReset(...reset);
    } else if (type === f.WINDOW) {
      const limit = f.readNumber(payload);
      stream?.raiseLimit(limit);
    } else stream?.handleFrame(frame, maxHeader);
  }

  #handleOpen(id: number, flags: number, header: Uint8Array, tooLong: boolean): void {
    this.#streams.checkRemote(id);
    if (this.#streams.remote >= this.settings.maxStreams) return this.sendReset(id, f.REFUSED, "too many streams");
    if (tooLong) return this.sendReset(id, f.LIMIT, "header exceeds the limit");
    const stream = new Stream(this);
    this.#streams.accept(stream, id);
    this.#events.stream(stream, header.slice());
    if (flags & f.FLAG_END) stream.handleEnd(new Uint8Array());
  }

  // Outbound.

  /** Schedules the stream: it may have something to send. */
  markReady(stream: Stream): void {
    if (stream.id) this.#streams.ready.add(stream);
    this.#schedule();
  }

  /** Sends a WINDOW frame. */
  sendWindow(stream: Stream, limit: number): void {
    this.#control.window(stream.id, limit);
    if (this.roundTrip.begin(Date.now())) this.#control.ping();
    this.#schedule();
  }

  sendReset(id: number, code: number, reason: string): void {
    const control = this.#control;
    const limit = MAX_RESET_BYTES + 64 * this.settings.maxStreams;
    const text = code === f.CANCEL || control.peerResetBytes > limit / 2 ? "" : cut(reason, 1024);
    control.reset(id, concat([f.encodeNumber(code), utf8(text)]));
    if (control.peerResetBytes > limit) this.#closeSlowPeer();
    this.#schedule();
  }

  /** Removes a closed stream. */
  remove(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#control.dropWindow(stream.id);
    this.#closeIfIdle();
    this.#schedule();
  }

  /** Opens no more streams from here on and tells the peer. The session closes once it is idle. */
  stopOpening(): void {
    if (!this.drain.stop()) return;
    this.#control.goaway(encodeGoaway(NO_LAST_STREAM));
    this.#schedule();
    this.#closeIfIdle();
  }

  /** Sends a final GOAWAY at once and ends the session. A page that is being unloaded sends nothing later. */
  goAway(error: ParleyError): void {
    const last = encodeGoaway(this.#streams.lastRemote);
    if (this.established && !this.#awaitingHello) this.#link?.send(f.encodeFrame(f.GOAWAY, 0, last));
    this.close(1000, error);
  }

  /** Schedules the close of an idle session. The peer has some time to close it first. */
  #closeIfIdle(): void {
    if (!this.drain.canClose || this.busy || !this.#link) return;
    this.#resumption.received.expedite(); // the peer waits for the acknowledgement
    this.#idleTimer.start(IDLE_CLOSE_TIMEOUT, () => {
      if (!this.busy) this.goAway(new ParleyError("session not needed", Code.Canceled));
    });
  }

  #schedule(): void {
    this.#writer.schedule();
  }

  #next(): Uint8Array<ArrayBuffer> | undefined {
    const message = packLinkMessage(this, this.#streams, this.#control, this.#resumption);
    // At most what the path's limit can be, one frame beyond it, and resets.
    const limit = (MAX_GROWTH + 2) * this.settings.replayLimit + this.peer.maxFrame;
    if (this.#resumption.replay.bytes <= limit) return message;
    this.#closeSlowPeer();
    return undefined;
  }

  #closeSlowPeer(): void {
    this.close(4008, new ParleyError("the peer does not read", Code.ResourceExhausted));
  }
}
