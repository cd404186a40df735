/** Counts the lines of the room that this page has seen and missed, by their numbers. */
export class Tally {
  #first = 0;
  #last = 0;
  #missing = 0;

  /**
   * Records that the page has entered the room, which has said so many lines. It returns how many lines the page has missed, or
   * `restarted` if the room counts from the beginning again.
   */
  enter(said: number): number | "restarted" {
    const before = this.#first > 0;
    const missed = said - this.#last;
    if (before && missed >= 0) {
      this.#missing += missed;
      this.#last = said;
      return missed;
    }
    this.#first = said + 1;
    this.#last = said;
    this.#missing = 0;
    return before ? "restarted" : 0;
  }

  line(number: number): void {
    this.#missing += number - this.#last - 1;
    this.#last = number;
  }

  /** Describes the lines that were seen. */
  toString(): string {
    if (this.#last < this.#first) return "No line was said yet.";
    const which = this.#last === this.#first ? `Line ${this.#last}` : `Lines ${this.#first} to ${this.#last}`;
    return `${which}: ${this.#missing || "none"} missing.`;
  }
}
