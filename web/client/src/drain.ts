import { Code, toCode } from "./code.js";
import { ParleyError } from "./error.js";
import { type Goaway, isNotice, NO_LAST_STREAM } from "./goaway.js";
import { Timer } from "./timer.js";
import { RuleError } from "./varint.js";

/** How long the close of an idle session is left to the peer, in milliseconds. */
const CLOSE_TIMEOUT = 1_000;

/** Tracks which end has announced the end of a session (PROTOCOL.md, section 10). */
export class Drain {
  /** The latest GOAWAY of the peer. */
  goaway: Goaway | undefined;
  /** The status of a GOAWAY that ends the session at once. */
  cause: ParleyError | undefined;
  /** Whether this end has announced that it opens no more streams. */
  stopped = false;
  #abort: AbortController | undefined;
  #closeTimer = new Timer();

  /** Reports whether this end may open streams. */
  get canOpen(): boolean {
    return !this.stopped && (!this.goaway || isNotice(this.goaway));
  }

  /** Reports whether this end may close an idle session: it opens no stream, and the peer has none on its way. */
  get canClose(): boolean {
    return this.stopped && !(this.goaway && isNotice(this.goaway));
  }

  /** Aborted when either end has made its announcement. Most sessions need no signal, so it is made on demand. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.goaway || this.stopped) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Handles a GOAWAY of the peer. It returns the error of the streams that the peer does not process. */
  receive(g: Goaway): ParleyError {
    if (g.lastStream > (this.goaway?.lastStream ?? NO_LAST_STREAM)) throw new RuleError("A6");
    this.goaway = g;
    this.#abort?.abort();
    const error = new ParleyError(`the server goes away${g.reason && `: ${g.reason}`}`, toCode(g.status || Code.Unavailable));
    if (g.status) this.cause = error;
    return error;
  }

  /** Records that this end opens no more streams. It reports whether that is new. */
  stop(): boolean {
    if (this.stopped) return false;
    this.stopped = true;
    this.#abort?.abort();
    return true;
  }

  /** Calls close after a while, which leaves the close to the peer until then. */
  scheduleClose(close: () => void): void {
    this.#closeTimer.start(CLOSE_TIMEOUT, close);
  }

  /** Stops the timer: there is no link. */
  cancelClose(): void {
    this.#closeTimer.stop();
  }
}
