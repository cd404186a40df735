import { Code } from "./code.js";
import { ParleyError, resetError, tooLong } from "./error.js";
import * as f from "./frame.js";
import { Queue } from "./queue.js";
import type { Session } from "./session.js";
import { concat, RuleError } from "./varint.js";
import { FRAME_COST, RecvWindow, SendWindow } from "./window.js";

// RESET codes (PROTOCOL.md, section 12.2).
export const CANCEL = 1;
export const REFUSED = 2;
export const LIMIT = 3;
export const PROTOCOL = 4;
const APPLICATION = 256;

/** A message that was received. */
export interface Message {
  bytes: Uint8Array;
  /** The application's mark; for calls: it is compressed. */
  mark: boolean;
}

/** What waits to be sent. */
interface Outgoing {
  type: number;
  bytes: Uint8Array;
  at: number;
  end: boolean;
  sent(): void;
}

interface Waiter {
  resolve(message: Message | undefined): void;
  reject(error: ParleyError): void;
}

/**
 * One end of a stream: messages both ways, with half-close, reset and credit (PROTOCOL.md, sections 6 and 7). What is sent
 * before it has an id waits until it may be opened.
 */
export class Stream {
  /** 0 until OPEN was sent. */
  id = 0;
  /**
   * Called at most once each: with the other end's header, if it has none with its first message or its end, with its trailer,
   * and when the stream is abandoned.
   */
  onHeader?: (block: Uint8Array | undefined, ended: boolean) => void;
  onTrailer?: (block: Uint8Array) => void;
  onFail?: (error: ParleyError, unseen: boolean) => void;

  /** Why it was abandoned. */
  error: ParleyError | undefined;
  /** Whether a message has arrived. */
  answered = false;

  #out: Outgoing[] = [];
  #send = new SendWindow(0);
  #sendOver = false;

  #window: RecvWindow;
  #headed = false;
  #recvOver = false;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #mark = false;
  #arriving = false;
  /** The messages that were not read, with what each costs. */
  #inbox = new Queue<Message & { cost: number }>();
  /** What has arrived of the next message costs, if that does not count as taken. */
  #cost = 0;
  #waiters: Waiter[] = [];

  constructor(
    /** While it is pending, it may be handed over to another. */
    public session: Session,
    /** Makes the header that this end opens the stream with; none: the other end has opened it. */
    readonly makeHeader?: (session: Session) => Uint8Array,
    /** Whether it waits on for a session when an attempt to connect has failed. */
    readonly patient = false,
  ) {
    this.#window = new RecvWindow(session.settings.initialWindow);
  }

  /** Has the stream begin: OPEN was sent, or has arrived. */
  begin(id: number): void {
    this.id = id;
    this.raise(this.session.peer.initialWindow);
  }

  /** Sends the header of the accepting end. It has to come before all else. */
  sendHeader(block: Uint8Array): void {
    void this.#queue(f.HEADER, block, false);
  }

  /** Sends a message. The promise is settled when it is with the network: this is how a slow reader slows its writer. */
  send(bytes: Uint8Array, end = false): Promise<void> {
    return this.#queue(f.DATA, bytes, end);
  }

  /** Ends this direction in place of what was not sent, with an error, or after it. */
  finish(trailer: Uint8Array, error: ParleyError | undefined): void {
    if (error && this.#out[0]?.at) return this.reset(APPLICATION + error.code, error); // inside a message
    if (error) {
      for (const o of this.#out) if (o.type === f.DATA) o.sent();
      this.#out = this.#out.filter((o) => o.type === f.HEADER);
    }
    this.end(trailer);
  }

  /** Ends this direction. */
  end(trailer: Uint8Array = new Uint8Array()): void {
    void this.#queue(f.END, trailer, true);
  }

  #queue(type: number, bytes: Uint8Array, end: boolean): Promise<void> {
    if (this.error || this.#sendOver) return Promise.resolve();
    this.#sendOver = end;
    return new Promise((sent) => {
      this.#out.push({ type, bytes, at: 0, end, sent });
      this.session.wake(this);
    });
  }

  /** Whether all that could be sent was. */
  get #sent(): boolean {
    return this.#sendOver && !this.#out.length;
  }

  /** Whether it was abandoned, or both ends have said their last. */
  get over(): boolean {
    return !!this.error || (this.#sent && this.#recvOver);
  }

  /** Whether messages wait to be read. */
  get unread(): boolean {
    return this.#inbox.length > 0;
  }

  /** Sends the next frame through emit. It returns false if there is none, or it has to wait. */
  emit(emit: (head: number, id: number, payload: Uint8Array) => void): boolean {
    const next = this.#out[0];
    const { peer, greeted } = this.session;
    if (!next) return false;
    const most = next.type === f.DATA ? peer.maxMessage : peer.maxHeader;
    if (next.bytes.length > most) {
      if (greeted) this.reset(CANCEL, tooLong(next.type === f.DATA ? "message" : "header", next.bytes.length, most));
      return false;
    }
    let head = next.type;
    let payload = next.bytes;
    if (next.type === f.DATA) {
      const size = this.#send.spend(next.bytes.length - next.at, peer.maxFrame);
      if (size < 0) return false;
      payload = next.bytes.subarray(next.at, (next.at += size));
      if (next.at < next.bytes.length) head |= f.FLAG_MORE;
      else if (next.end) head |= f.FLAG_END;
    }
    emit(head, this.id, payload);
    if (!(head & f.FLAG_MORE)) {
      this.#out.shift();
      next.sent();
      this.#closeIfOver();
    }
    return this.#out.length > 0;
  }

  /** Takes a WINDOW, or the initial window of a HELLO. */
  raise(limit: number): void {
    this.#send.raise(limit);
    if (this.#out.length) this.session.wake(this);
  }

  /** Takes a HEADER, DATA or END frame. One that breaks a rule has the stream reset. */
  take({ type, flags, payload }: f.Frame, maxHeader: number): void {
    let fault: [code: number, rule: string] | undefined;
    if (type === f.DATA) fault = this.data(flags, payload);
    else if (payload.length > maxHeader) fault = [LIMIT, "S12"];
    else fault = type === f.END ? this.trailer(payload) : this.header(payload);
    if (!fault) return;
    const [what, status] =
      fault[0] === LIMIT ? ["over a limit of this end", Code.ResourceExhausted] : ["not as it must be", Code.Internal];
    this.reset(fault[0], new ParleyError(`what the other end has sent is ${what}: ${new RuleError(fault[1]).message}`, status));
  }

  /** Takes a DATA frame. It returns the rule that it breaks, if so. */
  data(flags: number, payload: Uint8Array): [code: number, rule: string] | undefined {
    const cost = payload.length + FRAME_COST;
    const mark = (flags & f.FLAG_MARK) !== 0;
    if (this.#recvOver) return [PROTOCOL, "S5"];
    if (!this.#window.receive(cost)) return [PROTOCOL, "W1"];
    if (this.#arriving && mark !== this.#mark) return [PROTOCOL, "S11"];
    if ((this.#size += payload.length) > this.session.settings.maxMessage) return [LIMIT, "S13"];
    this.#decideHeader();
    this.#mark = mark;
    // A piece keeps all of its link message in memory: at most four times what it is itself.
    this.#pieces.push(payload.length * 4 < payload.buffer.byteLength ? payload.slice() : payload);
    this.#cost += cost;
    this.#arriving = (flags & f.FLAG_MORE) !== 0;
    if (flags & f.FLAG_END) this.#recvOver = true;
    if (!this.#arriving) {
      this.answered = true;
      this.#inbox.push({ bytes: this.#pieces.length === 1 ? this.#pieces[0]! : concat(this.#pieces), mark, cost: this.#cost });
      this.#pieces = [];
      this.#size = 0;
      this.#cost = 0;
    }
    this.#serve();
    if (this.#recvOver) this.#ended(new Uint8Array());
    return undefined;
  }

  /** Takes an END frame. */
  trailer(block: Uint8Array): [code: number, rule: string] | undefined {
    if (this.#recvOver || this.#arriving) return [PROTOCOL, this.#arriving ? "S10" : "S7"];
    this.#recvOver = true;
    this.#decideHeader(undefined, true);
    this.#ended(block.slice());
    return undefined;
  }

  /** Takes a HEADER frame. */
  header(block: Uint8Array): [code: number, rule: string] | undefined {
    if (!this.makeHeader) return [PROTOCOL, "S8"];
    if (this.#headed) return [PROTOCOL, "S6"];
    this.#decideHeader(block.slice());
    return undefined;
  }

  #decideHeader(block?: Uint8Array, ended = false): void {
    if (this.#headed) return;
    this.#headed = true;
    this.onHeader?.(block, ended);
  }

  #ended(trailer: Uint8Array): void {
    this.onTrailer?.(trailer);
    this.#serve();
    this.#closeIfOver();
  }

  /** Returns the next message, or undefined if the other end has ended its direction. */
  next(): Promise<Message | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Hands over what there is to those who wait, and gives credit for it. */
  #serve(): void {
    let consumed = 0;
    while (this.#waiters.length) {
      const message = this.#inbox.shift();
      if (message) {
        consumed += message.cost;
        this.#waiters.shift()!.resolve(message);
      } else if (this.#recvOver) this.#waiters.shift()!.resolve(undefined);
      else if (this.error) this.#waiters.shift()!.reject(this.error);
      else {
        // What has arrived of the next message counts as taken, so that one larger than the window passes.
        consumed += this.#cost;
        this.#cost = 0;
        break;
      }
    }
    if (!consumed || this.#recvOver || this.error) return;
    const limit = this.#window.consume(consumed, this.session.budget, Date.now());
    if (limit) this.session.announce(this, limit);
  }

  /** The credit that was given, if that is more than the initial one and more can come. */
  get announced(): number {
    return this.#recvOver || this.#window.limit <= this.session.settings.initialWindow ? 0 : this.#window.limit;
  }

  /** Takes a RESET. Messages that were not handed over are dropped. */
  wasReset(code: number, reason: string): void {
    this.#drop();
    this.fail(resetError(code, reason), code === REFUSED);
  }

  /** Abandons the stream, and tells the other end. What has arrived before its end can still be read. */
  reset(code: number, error: ParleyError): void {
    if (this.over) return;
    if (this.id) this.session.sendReset(this.id, code, error.rawMessage);
    this.#drop();
    this.fail(error, false);
  }

  /** Drops what has arrived of a direction that has not ended. */
  #drop(): void {
    if (!this.#recvOver) this.#inbox = new Queue();
  }

  /**
   * Abandons the stream without a word. What has arrived can still be read. Unseen: no application of the other end has seen
   * it.
   */
  fail(error: ParleyError, unseen: boolean): void {
    if (this.over) return;
    this.error = error;
    this.#close();
    this.#serve();
    this.#decideHeader();
    this.onFail?.(error, unseen);
  }

  #closeIfOver(): void {
    // The accepting end reads no more when it has said its last.
    if (this.#sent && (this.#recvOver || !this.makeHeader)) {
      if (!this.#recvOver) this.error = new ParleyError("the call is over", Code.Canceled);
      this.#close();
      this.#serve();
    }
  }

  #close(): void {
    for (const o of this.#out.splice(0)) o.sent();
    this.#window.close(this.session.budget);
    this.session.forget(this);
  }
}
