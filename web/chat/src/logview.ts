import { avatar, byId, make } from "./dom.js";
import type { Line } from "./outbox.js";

/** The most entries that the page keeps. */
export const MAX_ENTRIES = 500;

/** The distance from the end that still counts as the end, in pixels. */
const NEAR = 80;

/** A line that was said in the room. */
export interface Said {
  readonly name: string;
  readonly text: string;
  /** Whether the user of this page said it. */
  readonly own: boolean;
  /** The number of the link that delivered it. */
  readonly link: number;
  /** When it was said. */
  readonly at: Date;
}

/** The log of the room, and the unsent lines below it. */
export class LogView {
  #log = byId("log");
  #outbox = byId("outbox");
  #scroll = byId("scroll");
  #newest = byId("newest");
  /** The speaker of the latest entry, if it is a line. */
  #speaker = "";
  /** Whether the log is scrolled to its end and should stay there. */
  #atEnd = true;
  #top = 0;

  constructor() {
    this.#newest.addEventListener("click", () => {
      this.#toEnd();
      byId("text").focus();
    });
    this.#scroll.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
      if (scrollHeight - scrollTop - clientHeight < NEAR) this.#atEnd = this.#newest.hidden = true;
      else if (scrollTop < this.#top) this.#atEnd = false; // the user has scrolled up, and the page has not shrunk
      this.#top = scrollTop;
    });
    new ResizeObserver(() => this.#keepAtEnd()).observe(this.#scroll);
  }

  clear(): void {
    this.#log.replaceChildren();
    this.#outbox.replaceChildren();
    this.#speaker = "";
  }

  said({ name, text, own, link, at }: Said): void {
    const follows = name === this.#speaker;
    this.#speaker = name;
    const time = make("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at.toISOString();
    const who = make("span", own || follows ? "unseen" : "who", own ? "You" : name);
    const meta = make("span", "meta", time, ` · link ${link}`);
    const bubble = make("div", "bubble", make("p", "", text), meta);
    const item = make("li", `said${own ? " own" : ""}${follows ? " follows" : ""}`);
    if (!own) item.append(avatar(name));
    item.append(make("div", "", who, bubble));
    this.#append(item);
    if (own) this.#toEnd();
  }

  /** Adds a note, which has no speaker. */
  note(text: string, tone: "quiet" | "lost" | "back" = "quiet"): void {
    this.#speaker = "";
    this.#append(make("li", `note ${tone}`, make("span", "", text)));
  }

  /** Shows the unsent lines. */
  outbox(lines: readonly Line[]): void {
    this.#outbox.replaceChildren(...lines.map((line) => this.#pending(line)));
    this.#keepAtEnd();
  }

  #pending({ text, state }: Line): HTMLElement {
    const meta = make("span", "meta", state === "sent" ? "on the way" : "waits until you are back");
    const bubble = make("div", "bubble", make("p", "", text), meta);
    return make("li", `said own pending ${state}`, make("div", "", make("span", "unseen", "You"), bubble));
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
