/** What a DATA frame costs beyond its payload, in bytes of credit (PROTOCOL.md, section 7). */
export const FRAME_COST = 32;

/** The least that is sent of a longer message while credit is short, in bytes. */
const MIN_PIECE = 4096;

/** The most that is sent in one piece, whatever the other end takes: other streams get their turn between two. */
const MAX_PIECE = 32 << 10;

/** A window of which half is used up within so many milliseconds may grow. */
const GROW_WITHIN = 250;
const MAX_WINDOW = 1 << 20;

/** By how many bytes the windows of a session may still grow. */
export interface Budget {
  left: number;
}

/** The credit that the reader of a stream has given to its writer. All offsets are sums of costs since it was opened. */
export class RecvWindow {
  /** What the writer has been told. */
  limit: number;
  #received = 0;
  #consumed = 0;
  #grown = 0;
  #updated = 0;

  #size: number;

  constructor(size: number) {
    this.#size = size;
    this.limit = size;
  }

  /** Books what has arrived; tells if the credit covered it. */
  receive(cost: number): boolean {
    this.#received += cost;
    return this.#received <= this.limit;
  }

  /** Books what the application has taken; returns the limit to announce, or 0 while there is enough credit. */
  consume(cost: number, budget: Budget, now: number): number {
    this.#consumed += cost;
    if (this.limit - this.#consumed > this.#size / 2) return 0;
    const more = Math.min(this.#size, MAX_WINDOW - this.#size, budget.left);
    if (more > 0 && this.#received === this.#consumed && now - this.#updated < GROW_WITHIN) {
      this.#size += more;
      this.#grown += more;
      budget.left -= more;
    }
    this.#updated = now;
    return (this.limit = this.#consumed + this.#size);
  }

  /** Gives back what was taken from the budget. */
  close(budget: Budget): void {
    budget.left += this.#grown;
    this.#grown = 0;
  }
}

/** The credit that the writer of a stream has got. */
export class SendWindow {
  #spent = 0;

  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  raise(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  /** Takes credit for a piece of n bytes, or less; returns its size, or -1 if there is not enough credit. */
  spend(n: number, maxFrame: number): number {
    const credit = this.#limit - this.#spent - FRAME_COST;
    const size = Math.min(n, maxFrame, MAX_PIECE, credit < MIN_PIECE ? n : credit);
    if (size > credit) return -1;
    this.#spent += size + FRAME_COST;
    return size;
  }
}
