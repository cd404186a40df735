/** The cost of a DATA frame in addition to its payload, in bytes of credit (PROTOCOL.md, section 7). */
export const FRAME_COST = 32;

/** The smallest piece of a longer message while credit is short, in bytes. */
const MIN_PIECE = 4096;

/** The largest piece, whatever the peer accepts: other streams send between two of them. */
const MAX_PIECE = 32 << 10;

/** What the windows of a session may grow by in all, in bytes. */
export const WINDOW_BUDGET = 64 << 20;
export const MAX_WINDOW = 32 << 20;
/** The window of a stream that carries much, before its rate is known. It may leave half of the budget to streams that grow. */
const WIDE_WINDOW = 1 << 20;
/** A window grows if half of it is consumed within two round trips, or within this time in milliseconds. */
const GROW_WITHIN = 20;

/** The number of bytes by which the windows of a session may still grow. */
export interface Budget {
  left: number;
}

/** The credit that the receiver of a stream has granted. Offsets count the cost since the stream was opened. */
export class RecvWindow {
  /** The limit that was sent to the peer. */
  declare limit: number;
  #received = 0;
  #consumed = 0;
  #grown = 0;
  /** When the limit was moved last, or the first frame arrived. */
  #updated = 0;

  #size: number;

  constructor(size: number) {
    this.#size = size;
    this.limit = size;
  }

  /** Records what has arrived. It reports whether the credit covers it. */
  receive(cost: number, now: number): boolean {
    this.#updated ||= now;
    this.#received += cost;
    return this.#received <= this.limit;
  }

  /** Records what the application has read. It returns the limit to send to the peer, or 0 if the peer has enough credit. */
  consume(cost: number, budget: Budget, now: number, roundTrip: number): number {
    this.#consumed += cost;
    if (this.limit - this.#consumed > this.#size / 2) return 0;
    const keepsUp = this.#received - this.#consumed < this.#size / 4;
    const fast = now - this.#updated < Math.max(2 * roundTrip, GROW_WITHIN);
    this.#updated = now;
    return this.#grow(keepsUp && fast ? Math.min(this.#size, MAX_WINDOW - this.#size, budget.left) : 0, budget);
  }

  /** Grows to a window for much data. It returns the limit to send to the peer, or 0 if that has not changed. */
  widen(budget: Budget): number {
    const more = Math.min(WIDE_WINDOW - this.#size, budget.left - WINDOW_BUDGET / 2);
    return more > 0 ? this.#grow(more, budget) : 0;
  }

  #grow(more: number, budget: Budget): number {
    this.#size += more;
    this.#grown += more;
    budget.left -= more;
    return (this.limit = this.#consumed + this.#size);
  }

  /** Returns what the window took from the budget. */
  close(budget: Budget): void {
    budget.left += this.#grown;
    this.#grown = 0;
  }
}

/** The credit of the sender of a stream. */
export class SendWindow {
  #spent = 0;

  #limit = 0;

  raise(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  /** Takes credit for n bytes or fewer. It returns that number, or -1 if the credit is too small. */
  spend(n: number, maxFrame: number): number {
    const credit = this.#limit - this.#spent - FRAME_COST;
    const size = Math.min(n, maxFrame, MAX_PIECE, Math.max(credit, MIN_PIECE));
    if (size > credit) return -1;
    this.#spent += size + FRAME_COST;
    return size;
  }
}
