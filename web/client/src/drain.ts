import { toCode } from "./code.js";
import { ParleyError } from "./error.js";
import { type Goaway, isNotice, NO_LAST_STREAM } from "./goaway.js";
import * as Code from "./statuscodes.js";
import { RuleError } from "./varint.js";

/** The drain of a session: what both ends have announced, and the close that follows (PROTOCOL.md, section 10). */
export class Drain {
  /** The peer's latest GOAWAY. */
  declare goaway: Goaway | undefined;
  /** The error of a GOAWAY that ends the session at once. */
  declare cause: ParleyError | undefined;
  /** Whether this end has announced that it opens no more streams. */
  stopped = false;
  /** Aborted once either end has announced its drain. Most sessions need none, so drainSignal creates it. */
  declare abort: AbortController | undefined;

  /** Reports whether this end may open streams. */
  get canOpen(): boolean {
    return !this.stopped && (!this.goaway || isNotice(this.goaway));
  }

  /** Reports whether this end may close the session once it is idle: neither end opens streams any more. */
  get canClose(): boolean {
    return this.stopped && !(this.goaway && isNotice(this.goaway));
  }

  /** Handles a GOAWAY. It returns the error of the streams that the peer does not process. */
  receive(g: Goaway): ParleyError {
    if (g.lastStream > (this.goaway?.lastStream ?? NO_LAST_STREAM)) throw new RuleError("A6");
    this.goaway = g;
    this.abort?.abort();
    const error = new ParleyError(`the peer sent GOAWAY${g.reason && `: ${g.reason}`}`, toCode(g.status || Code.Unavailable));
    if (g.status) this.cause = error;
    return error;
  }

  /** Stops opening streams. It reports whether this is a change. */
  stop(): boolean {
    if (this.stopped) return false;
    this.stopped = true;
    this.abort?.abort();
    return true;
  }
}

/** Returns a signal that is aborted once either end has announced its drain. */
export function drainSignal(drain: Drain): AbortSignal {
  drain.abort ??= new AbortController();
  if (drain.goaway || drain.stopped) drain.abort.abort();
  return drain.abort.signal;
}
