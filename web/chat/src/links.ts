import type { State } from "@parley-rpc/client";

/** One WebSocket, and what it has brought. */
export interface Link {
  readonly number: number;
  messages: number;
  state: "open" | "lost";
}

/** A link that has come or gone. */
export interface Change {
  readonly link: Link;
  /** How long there was none before, in milliseconds, if the session of the last one goes on; undefined if it does not. */
  readonly detachedMs?: number | undefined;
}

/** No more links are shown; the others are added up. */
const MAX_LINKS = 5;

/** The links that a connection had, by its states. */
export class Links {
  readonly shown: Link[] = [];
  /** Those that are not shown any more. */
  readonly earlier = { links: 0, messages: 0 };
  #count = 0;
  #lostAt: number | undefined;

  /** Takes note of a state, and returns what has changed. */
  update(state: State, now = Date.now()): Change | undefined {
    const latest = this.shown.at(-1);
    if (state === "ready") {
      const link: Link = { number: ++this.#count, messages: 0, state: "open" };
      const detachedMs = this.#lostAt === undefined ? undefined : now - this.#lostAt;
      this.#lostAt = undefined;
      this.shown.push(link);
      if (this.shown.length > MAX_LINKS) {
        const gone = this.shown.shift() as Link;
        this.earlier.links++;
        this.earlier.messages += gone.messages;
      }
      return { link, detachedMs };
    }
    if (state !== "resuming") this.#lostAt = undefined; // it is another session that follows
    if (latest?.state !== "open") return undefined;
    latest.state = "lost";
    if (state === "resuming") this.#lostAt = now;
    return { link: latest };
  }

  /** A message has come. */
  message(): void {
    const latest = this.shown.at(-1);
    if (latest) latest.messages++;
  }

  /** The number of the latest link. */
  get current(): number {
    return this.#count;
  }
}
