import { LASTED } from "./backoff.js";
import { type Comeback, ending } from "./closecode.js";
import { Code } from "./code.js";
import type { Connection, State } from "./connection.js";
import { ParleyError } from "./error.js";
import type { SessionEvents } from "./events.js";
import type { Goaway } from "./goaway.js";
import { Session } from "./session.js";
import type { Stream } from "./stream.js";

/** How long a link has to show a sign of life when it is looked after, in milliseconds. */
const WAKE_TIMEOUT = 5_000;

/** A session, and the links that it is given. */
export class Line implements SessionEvents {
  readonly session: Session;
  state: State = "connecting";
  /** Why there is no link. */
  error: ParleyError | undefined;
  #dialing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When both ends had greeted on the link; 0: they have not. */
  #since = 0;

  constructor(
    private conn: Connection,
    private url: string,
  ) {
    this.session = new Session(conn.settings, this);
  }

  /** Dials after a delay, unless a link is there. */
  start(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.session.error || this.session.linked || this.#dialing || this.conn.hidden) return;
    if (delay > 0) this.#timer = setTimeout(() => this.start(0), delay);
    else void this.#dial();
    if (!this.session.away) this.#enter(delay > 0 ? "failed" : "connecting", this.error);
  }

  /** Looks after the link now. */
  wake(): void {
    if (this.#timer) this.start(0);
    else this.session.probe(WAKE_TIMEOUT);
  }

  async #dial(): Promise<void> {
    this.#dialing = true;
    try {
      const link = await this.conn.dial(this.url);
      this.#dialing = false;
      if (this.session.error || this.conn.hidden) return link.close();
      link.onData = (data) => this.session.receive(data);
      link.onEnd = (code, reason) => this.session.linkEnded(code, reason);
      this.session.attach(link);
    } catch (e) {
      const error = ParleyError.from(e, Code.Unavailable);
      this.#dialing = false;
      if (this.session.error) return;
      if (error.code !== Code.Unavailable) return this.session.close(4000 + error.code, error);
      this.error = error;
      this.start(this.delay("backs off"));
      if (!this.session.away) this.session.failPending(error);
    }
  }

  /** How long to wait after a failure, or after the end of a session that was soon over. */
  delay(comeback: Comeback): number {
    return this.conn.delay(comeback, this.#since > 0 && Date.now() - this.#since >= LASTED);
  }

  #enter(state: State, error?: ParleyError): void {
    this.state = state;
    this.error = error;
    this.conn.changed(this);
  }

  ready(): void {
    this.#since = Date.now();
    this.#enter("ready");
  }

  lost(error: ParleyError, code: number): void {
    // The first attempt is made at once, unless links are lost as soon as they are there.
    const delay = this.delay(this.#since ? "at once" : ending(code).comeback);
    this.#since = 0;
    this.#enter("resuming", error);
    this.start(delay);
  }

  goaway(g: Goaway): void {
    if (!g.status) this.conn.retire(this, g); // otherwise the end follows
  }

  over(error: ParleyError, code: number): void {
    clearTimeout(this.#timer);
    this.conn.over(this, error, code);
  }

  stream(stream: Stream, header: Uint8Array): void {
    this.conn.accept(stream, header);
  }
}
