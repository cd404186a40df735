import type { State } from "@parley-rpc/client";

/** A WebSocket and what it has delivered. */
export interface Link {
  readonly number: number;
  messages: number;
  state: "open" | "lost";
}

/** A link that was opened or lost. */
export interface Change {
  readonly link: Link;
  /** How long the session was detached before this link, in milliseconds; undefined if it was not resumed. */
  readonly detachedMs?: number | undefined;
}

/** The most links that are shown one by one. */
const MAX_LINKS = 5;

/** The links of a connection, derived from its states. */
export class Links {
  readonly shown: Link[] = [];
  /** The total of the links that are no longer shown. */
  readonly earlier = { links: 0, messages: 0 };
  #count = 0;
  #lostAt: number | undefined;

  /** Records a state. It returns what has changed. */
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
    if (state !== "resuming") this.#lostAt = undefined; // another session follows
    if (latest?.state !== "open") return undefined;
    latest.state = "lost";
    if (state === "resuming") this.#lostAt = now;
    return { link: latest };
  }

  /** Counts a message on the current link. */
  message(): void {
    const latest = this.shown.at(-1);
    if (latest) latest.messages++;
  }

  /** The number of the latest link. */
  get current(): number {
    return this.#count;
  }
}
