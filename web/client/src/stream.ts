import { ParleyError, resetError, tooLarge } from "./error.js";
import * as f from "./frame.js";
import { MAX_LIGHT_FRAME, SMALL_PIECE } from "./limits.js";
import { Queue } from "./queue.js";
import type { Session } from "./session.js";
import * as Code from "./statuscodes.js";
import { concat, RuleError } from "./varint.js";
import { FRAME_COST, RecvWindow, SendWindow } from "./window.js";

/** A received message. */
export interface Message {
  bytes: Uint8Array;
  /** The MARK flag. For calls it means compressed. */
  mark: boolean;
}

/** A frame that waits to be sent. */
interface Outgoing {
  /** With FLAG_MARK for a compressed message. */
  type: number;
  bytes: Uint8Array;
  at: number;
  end: boolean;
  sent(): void;
}

/** A message that the application has not read, with its cost in flow-control credit. */
interface Unread extends Message {
  cost: number;
}

interface Waiter {
  resolve(message: Message | undefined): void;
  reject(error: ParleyError): void;
}

/**
 * One side of a stream: messages in both directions, half-close, reset and flow control (PROTOCOL.md, sections 6 and 7). What
 * is sent before the stream has an id waits until the stream is opened.
 */
export class Stream {
  /** 0 until OPEN is sent. */
  id = 0;
  /**
   * The callbacks are called at most once each: onHeader with the peer's header, or without one at the first message or the
   * end; onTrailer with the peer's trailer; onFail when the stream fails.
   */
  declare onHeader?: (block: Uint8Array | undefined, ended: boolean) => void;
  declare onTrailer?: (block: Uint8Array) => void;
  declare onFail?: (error: ParleyError, unprocessed: boolean) => void;

  /** Why the stream failed. */
  declare error: ParleyError | undefined;
  /** Whether a message has arrived. */
  hasMessage = false;

  /** What is queued. */
  readonly out = new Queue<Outgoing>();
  #send = new SendWindow();
  #sendEnded = false;
  /** Whether what is queued has a large frame. */
  heavy = false;

  #window: RecvWindow;
  #headerDecided = false;
  #recvEnded = false;
  #wide = false;
  /** Of the message that is arriving. */
  #pieces: Uint8Array[] = [];
  #size = 0;
  #mark = false;
  /** The cost of the message that is arriving. */
  #cost = 0;
  #inbox = new Queue<Unread>();
  #waiters = new Queue<Waiter>();

  /** A pending stream may move to another session. */
  declare session: Session;
  /** Makes the header of OPEN. It is undefined if the peer has opened the stream. */
  declare readonly makeHeader: ((session: Session) => Uint8Array) | undefined;
  /** Whether the stream stays pending after a failed attempt to connect. */
  declare readonly waitForReady: boolean;

  constructor(session: Session, makeHeader?: (session: Session) => Uint8Array, waitForReady = false) {
    this.session = session;
    this.makeHeader = makeHeader;
    this.waitForReady = waitForReady;
    this.#window = new RecvWindow(session.settings.initialWindow);
  }

  /** Starts the stream: OPEN was sent or received. */
  start(id: number): void {
    this.id = id;
    this.raiseLimit(this.session.peer.initialWindow);
    if (this.#wide) this.widen();
  }

  /** Lets the peer send much at once: it is expected to. Before the stream is open, this takes effect with OPEN. */
  widen(): void {
    this.#wide = true;
    if (this.id) this.#sendWindow(this.#window.widen(this.session.budget));
  }

  #sendWindow(limit: number): void {
    if (limit) this.session.sendWindow(this, limit);
  }

  /** Sends a message. The promise is fulfilled when the WebSocket has taken it, which slows the writer to the reader's speed. */
  send(bytes: Uint8Array, end = false): Promise<void> {
    return this.queue(f.DATA, bytes, end);
  }

  /** Ends this direction after what is queued. */
  end(trailer: Uint8Array = new Uint8Array()): void {
    void this.queue(f.END, trailer, true);
  }

  /** Queues a message, or a block. It is for this class, serverstream.ts and compression.ts. */
  queue(type: number, bytes: Uint8Array, end: boolean): Promise<void> {
    if (this.error || this.#sendEnded) return Promise.resolve();
    this.#sendEnded = end;
    this.heavy ||= bytes.length > MAX_LIGHT_FRAME;
    return new Promise((sent) => {
      this.out.push({ type, bytes, at: 0, end, sent });
      this.session.markReady(this);
    });
  }

  /** Reports whether this direction has ended and all of it was sent. */
  get #sent(): boolean {
    return this.#sendEnded && !this.out.length;
  }

  /** Reports whether the stream has failed, or both directions have ended. */
  get closed(): boolean {
    return !!this.error || (this.#sent && this.#recvEnded);
  }

  /** Reports whether messages wait to be read. */
  get unread(): boolean {
    return this.#inbox.length > 0;
  }

  /** Passes the next frame to emit. It returns false if there is none, or if it has to wait. */
  emit(emit: (head: number, id: number, payload: Uint8Array) => void): boolean {
    const next = this.out.at(0);
    const { peer, established } = this.session;
    if (!next) return false;
    let { type: head, bytes: payload } = next;
    const isMessage = head % 16 === f.DATA; // compressed or not
    const limit = peer[isMessage ? "maxMessage" : "maxHeader"];
    if (payload.length > limit) {
      if (established) this.reset(f.CANCEL, tooLarge(isMessage ? "message" : "header", payload.length, limit));
      return false;
    }
    if (isMessage) {
      const size = this.#send.spend(payload.length - next.at, peer.maxFrame);
      if (size < 0) return false;
      payload = payload.subarray(next.at, (next.at += size));
      if (next.at < next.bytes.length) head |= f.FLAG_MORE;
      else if (next.end) head |= f.FLAG_END;
    }
    emit(head, this.id, payload);
    if (!(head & f.FLAG_MORE)) {
      this.out.shift();
      next.sent();
      this.#closeIfOver();
    }
    if (this.out.length) return true;
    return (this.heavy = false);
  }

  /** Handles a WINDOW frame, or the initial window of a HELLO. */
  raiseLimit(limit: number): void {
    this.#send.raise(limit);
    if (this.out.length) this.session.markReady(this);
  }

  /** Handles a HEADER, DATA or END frame. A violation resets the stream. */
  handleFrame({ type, flags, payload }: f.Frame, maxHeader: number): void {
    const fault =
      type === f.DATA
        ? this.handleData(flags, payload)
        : payload.length > maxHeader
          ? "S12"
          : type === f.END
            ? this.handleEnd(payload)
            : this.handleHeader(payload);
    if (!fault) return;
    const overLimit = /1[23]/.test(fault); // S12 and S13
    const error = new ParleyError(new RuleError(fault).message, overLimit ? Code.ResourceExhausted : Code.Internal);
    this.reset(overLimit ? f.LIMIT : f.PROTOCOL, error);
  }

  /** Handles a DATA frame. It returns the rule that the frame breaks, if any. */
  handleData(flags: number, payload: Uint8Array): string | undefined {
    const cost = payload.length + FRAME_COST;
    const mark = (flags & f.FLAG_MARK) !== 0;
    if (this.#recvEnded) return "S5";
    if (!this.#window.receive(cost, Date.now())) return "W1";
    if (this.#pieces.length && mark !== this.#mark) return "S11";
    if ((this.#size += payload.length) > this.session.settings.maxMessage) return "S13";
    this.#decideHeader();
    this.#mark = mark;
    this.#addPiece(payload);
    this.#cost += cost;
    if (flags & f.FLAG_END) this.#recvEnded = true;
    if (flags & f.FLAG_MORE) this.widen();
    else {
      this.hasMessage = true;
      const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : concat(this.#pieces);
      this.#inbox.push({ bytes, mark, cost: this.#cost });
      this.#size = this.#cost = 0;
      this.#pieces = [];
    }
    this.#deliver();
    if (this.#recvEnded) this.#endRecv(new Uint8Array());
    return undefined;
  }

  #addPiece(piece: Uint8Array): void {
    const all = this.#pieces;
    const last = all.at(-1);
    const { buffer } = piece;
    if (last?.buffer === buffer && (piece.byteOffset - last.byteOffset - last.length) * 4 < buffer.byteLength) {
      // Both are in one link message, with little between them. Join them there: only a quarter of it or more is kept.
      all.push(new Uint8Array(buffer, all.pop()!.byteOffset, last.length + piece.length));
      return all.at(-1)!.set(piece, last.length);
    }
    // A piece retains its whole link message. Copy it unless it makes up a quarter of that.
    all.push(piece.length * 4 < buffer.byteLength ? piece.slice() : piece);
    // Each piece costs about 200 bytes more. Merge small ones of similar size so that few remain.
    while ((all.at(-2)?.length as number) <= Math.min(SMALL_PIECE, all.at(-1)!.length)) all.push(concat(all.splice(-2)));
  }

  /** Handles an END frame. */
  handleEnd(block: Uint8Array): string | undefined {
    if (this.#pieces.length) return "S10";
    if (this.#recvEnded) return "S7";
    this.#recvEnded = true;
    this.#decideHeader(undefined, true);
    this.#endRecv(block.slice());
    return undefined;
  }

  /** Handles a HEADER frame. */
  handleHeader(block: Uint8Array): string | undefined {
    if (!this.makeHeader) return "S8";
    if (this.#headerDecided) return "S6";
    this.#decideHeader(block.slice());
    return undefined;
  }

  #decideHeader(block?: Uint8Array, ended = false): void {
    if (this.#headerDecided) return;
    this.#headerDecided = true;
    this.onHeader?.(block, ended);
  }

  #endRecv(trailer: Uint8Array): void {
    this.onTrailer?.(trailer);
    this.#deliver();
    this.#closeIfOver();
  }

  /** Returns the next message, or undefined if the peer has ended its direction. */
  next(): Promise<Message | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#deliver();
    });
  }

  /** Delivers messages to waiting readers and returns their credit to the peer. */
  #deliver(): void {
    let consumed = 0;
    while (this.#waiters.length) {
      const message = this.#inbox.shift();
      if (message) {
        consumed += message.cost;
        this.#waiters.shift()!.resolve(message);
      } else if (this.#recvEnded) this.#waiters.shift()!.resolve(message);
      else if (this.error) this.#waiters.shift()!.reject(this.error);
      else {
        // Credit of a partial message is returned at once, so that a message may be larger than the window.
        consumed += this.#cost;
        this.#cost = 0;
        break;
      }
    }
    if (!consumed || this.#recvEnded || this.error) return;
    const { session } = this;
    this.#sendWindow(this.#window.consume(consumed, session.budget, Date.now(), session.roundTrip.estimate));
  }

  /** The limit that was sent to the peer, or 0 if that is the initial one or nothing more can arrive. */
  get credit(): number {
    return this.#recvEnded || this.#window.limit <= this.session.settings.initialWindow ? 0 : this.#window.limit;
  }

  /** Handles a RESET frame. Messages that were not delivered are dropped. */
  handleReset(code: number, reason: string): void {
    this.#dropUnread();
    this.fail(resetError(code, reason), code === f.REFUSED);
  }

  /** Resets the stream and tells the peer. If the peer has ended its direction, what arrived can still be read. */
  reset(code: number, error: ParleyError): void {
    if (this.closed) return;
    if (this.id) this.session.sendReset(this.id, code, error.rawMessage);
    this.#dropUnread();
    this.fail(error, false);
  }

  /** Drops what has arrived, unless the peer has ended its direction. */
  #dropUnread(): void {
    if (!this.#recvEnded) this.#inbox = new Queue();
  }

  /**
   * Fails the stream without telling the peer. What has arrived can still be read. Unprocessed means that no application of the
   * peer has seen the stream.
   */
  fail(error: ParleyError, unprocessed: boolean): void {
    if (this.closed) return;
    this.error = error;
    this.#close();
    this.#deliver();
    this.#decideHeader();
    this.onFail?.(error, unprocessed);
  }

  #closeIfOver(): void {
    // The acceptor reads no more once it has ended its direction.
    if (this.#sent && (this.#recvEnded || !this.makeHeader)) {
      if (!this.#recvEnded) this.error = new ParleyError("the call has ended", Code.Canceled);
      this.#close();
      this.#deliver();
    }
  }

  #close(): void {
    while (this.out.length) this.out.shift()!.sent();
    this.#window.close(this.session.budget);
    this.session.remove(this);
  }
}
