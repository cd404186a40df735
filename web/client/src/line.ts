import { delayAfter, LASTED } from "./backoff.js";
import { ending } from "./closecode.js";
import { Code } from "./code.js";
import type { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import type { Goaway } from "./goaway.js";
import type { WebSocketLink } from "./link.js";
import { Session } from "./session.js";
import type { Stream } from "./stream.js";

/** What a line needs of the connection that it belongs to. */
export interface LineOwner {
  dial(url: string): Promise<WebSocketLink>;
  changed(line: Line): void;
  goaway(line: Line, g: Goaway): void;
  over(line: Line, error: ParleyError, code: number): void;
  serve(stream: Stream, header: Uint8Array, session: Session): void;
}

/** A session, and the links that it is given. */
export class Line {
  readonly session: Session;
  state: "connecting" | "ready" | "resuming" | "failed" = "connecting";
  /** Why there is no link. */
  error: ParleyError | undefined;
  #dialing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #since = 0;

  constructor(
    private conn: Connection,
    private owner: LineOwner,
    private url: string,
    /** Attempts that have failed in a row, and sessions that were over soon. */
    private failures = 0,
  ) {
    this.session = new Session(conn.settings, {
      ready: () => {
        this.#since = Date.now();
        this.#enter("ready");
      },
      lost: (error, code) => {
        const { comeback } = ending(code);
        // The first attempt is made at once, unless links are lost as soon as they are there.
        const delay = this.#since
          ? delayAfter("at once", this.#book(), conn.jitter)
          : delayAfter(comeback, this.#book(), conn.jitter);
        this.#since = 0;
        this.#enter("resuming", error);
        this.start(delay);
      },
      goaway: (g) => owner.goaway(this, g),
      over: (error, code) => {
        clearTimeout(this.#timer);
        owner.over(this, error, code);
      },
      stream: (stream, header) => owner.serve(stream, header, this.session),
    });
  }

  /** Counts a failure, or none if it went well for long enough; returns how many there were before. */
  #book(): number {
    if (this.#since && Date.now() - this.#since >= LASTED) this.failures = 0;
    return this.failures++;
  }

  /** Like #book, for the line that comes after this one. */
  fail(): number {
    this.#book();
    return this.failures;
  }

  /** Whether calls would have to wait for the next attempt. */
  get waits(): boolean {
    return this.state === "failed";
  }

  /** Dials after a delay, unless a link is there. */
  start(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.session.error || this.session.linked || this.#dialing || this.conn.hidden) return;
    if (delay <= 0) void this.#dial();
    else {
      if (!this.session.away) this.#enter("failed", this.error);
      this.#timer = setTimeout(() => void this.#dial(), delay);
    }
  }

  /** Looks after the link now. */
  wake(): void {
    if (this.#timer) this.start(0);
    else this.session.probe(WAKE_TIMEOUT);
  }

  async #dial(): Promise<void> {
    this.#timer = undefined;
    this.#dialing = true;
    if (!this.session.away) this.#enter("connecting", this.error);
    try {
      const link = await this.owner.dial(this.url);
      this.#dialing = false;
      if (this.session.error || this.conn.hidden) {
        link.close();
        return;
      }
      link.onData = (data) => this.session.receive(data);
      link.onEnd = (code, reason) => this.session.linkEnded(code, reason);
      this.session.attach(link);
    } catch (e) {
      this.#dialing = false;
      this.#failed(ParleyError.from(e, Code.Unavailable));
    }
  }

  #failed(error: ParleyError): void {
    if (this.session.error) return;
    this.error = error;
    if (error.code !== Code.Unavailable) return this.session.close(4000 + error.code, error);
    this.start(delayAfter("backs off", this.#book(), this.conn.jitter));
    if (!this.session.away) this.session.failPending(error);
  }

  #enter(state: Line["state"], error?: ParleyError): void {
    this.state = state;
    this.error = error;
    this.owner.changed(this);
  }
}

/** How long a link has to show a sign of life when it is looked after, in milliseconds. */
const WAKE_TIMEOUT = 5_000;
