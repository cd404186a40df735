import { avatar, button, byId, make } from "./dom.js";
import type { Line } from "./outbox.js";

/** No more entries are kept in the page. */
export const MAX_ENTRIES = 500;

/** So near to the end, in pixels, somebody is looking at the newest. */
const NEAR = 80;

/** Something that was said. */
export interface Said {
  readonly name: string;
  readonly text: string;
  /** By the one who looks at the page. */
  readonly own: boolean;
  /** The number of the link by which it came. */
  readonly link: number;
}

/** What is done with a line of which nobody knows whether it has arrived. */
export interface OutboxActions {
  resend(id: number): void;
  drop(id: number): void;
}

/** The messages, and below them the lines that are on the way. */
export class LogView {
  #log = byId("log");
  #outbox = byId("outbox");
  #scroll = byId("scroll");
  #newest = byId("newest");
  /** Who said the latest entry, if it was said. */
  #speaker = "";
  /** Whether somebody looks at the newest, which then stays in sight. */
  #atEnd = true;
  #top = 0;

  constructor(private actions: OutboxActions) {
    this.#newest.addEventListener("click", () => {
      this.#toEnd();
      byId("text").focus();
    });
    this.#scroll.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
      if (scrollHeight - scrollTop - clientHeight < NEAR) this.#atEnd = this.#newest.hidden = true;
      else if (scrollTop < this.#top) this.#atEnd = false; // and not because the page is smaller now
      this.#top = scrollTop;
    });
    new ResizeObserver(() => this.#keepAtEnd()).observe(this.#scroll);
  }

  clear(): void {
    this.#log.replaceChildren();
    this.#outbox.replaceChildren();
    this.#speaker = "";
  }

  said({ name, text, own, link }: Said): void {
    const follows = name === this.#speaker;
    this.#speaker = name;
    const now = new Date();
    const time = make("time", "", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = now.toISOString();
    const who = make("span", own || follows ? "unseen" : "who", own ? "You" : name);
    const meta = make("span", "meta", time, ` · link ${link}`);
    const bubble = make("div", "bubble", make("p", "", text), meta);
    const item = make("li", `said${own ? " own" : ""}${follows ? " follows" : ""}`);
    if (!own) item.append(avatar(name));
    item.append(make("div", "", who, bubble));
    this.#append(item);
    if (own) this.#toEnd();
  }

  /** Adds a line that nobody has said. */
  note(text: string, tone: "quiet" | "lost" | "back" = "quiet"): void {
    this.#speaker = "";
    this.#append(make("li", `note ${tone}`, make("span", "", text)));
  }

  /** Shows what is on the way. */
  outbox(lines: readonly Line[]): void {
    this.#outbox.replaceChildren(...lines.map((line) => this.#pending(line)));
    this.#keepAtEnd();
  }

  #pending({ id, text, state }: Line): HTMLElement {
    const bubble = make("div", "bubble", make("p", "", text));
    const item = make("li", `said own pending ${state}`, make("div", "", make("span", "unseen", "You"), bubble));
    if (state !== "unsure") {
      bubble.append(make("span", "meta", state === "sent" ? "on the way" : "waits until you are back"));
      return item;
    }
    bubble.append(make("span", "meta", "The connection was lost: it may have arrived, or not."));
    const again = button("Send again", "quiet", () => this.actions.resend(id));
    const drop = button("Drop", "quiet", () => this.actions.drop(id));
    item.firstElementChild?.append(make("div", "choices", again, drop));
    return item;
  }

  #append(item: HTMLElement): void {
    this.#log.append(item);
    while (this.#log.childElementCount > MAX_ENTRIES) this.#log.firstElementChild?.remove();
    this.#keepAtEnd();
    this.#newest.hidden = this.#atEnd;
  }

  #keepAtEnd(): void {
    if (this.#atEnd) this.#toEnd();
  }

  #toEnd(): void {
    this.#atEnd = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#newest.hidden = true;
  }
}
