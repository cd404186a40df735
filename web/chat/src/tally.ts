import type { JoinResponse } from "../../gen/parley/chat/v1/chat_pb.js";

/** Counts the lines that this page has shown, and those that it has missed. */
export class Tally {
  #shown = 0;
  #missing = 0;
  #more = false;

  /** Records a response. It reports whether lines are missing before it. */
  record({ event, missed, missedMore }: Pick<JoinResponse, "event" | "missed" | "missedMore">): boolean {
    this.#missing += Number(missed);
    this.#more ||= missedMore;
    if (event.case === "said") this.#shown++;
    return missed > 0n || missedMore;
  }

  /** Describes the lines. */
  toString(): string {
    const missing = this.#more ? (this.#missing ? `${this.#missing} or more` : "some") : `${this.#missing || "none"}`;
    if (!this.#shown && missing === "none") return "No line was said yet.";
    return `${this.#shown} ${this.#shown === 1 ? "line" : "lines"}: ${missing} missing.`;
  }
}
