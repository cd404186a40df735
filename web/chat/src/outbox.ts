/** A line that was typed here and not yet said in the room. */
export interface Line {
  /** Counts the lines of the member, from 1 on. */
  readonly number: number;
  readonly text: string;
  /** `waiting`: not sent; `sent`: sent on the current call. */
  readonly state: "waiting" | "sent";
}

/** The most lines that are kept. */
export const MAX_LINES = 50;

/** The unsaid lines in order. */
export class Outbox {
  #lines: Line[] = [];
  #next = 1;

  get lines(): readonly Line[] {
    return this.#lines;
  }

  get full(): boolean {
    return this.#lines.length >= MAX_LINES;
  }

  add(text: string): void {
    this.#lines.push({ number: this.#next++, text, state: "waiting" });
  }

  /** Returns the waiting lines and marks them as sent. */
  take(): Line[] {
    const lines = this.#lines.filter((l) => l.state === "waiting");
    this.#turn("waiting", "sent");
    return lines;
  }

  /** Removes a line that the room has said, and those before it. */
  arrived(number: number): void {
    this.#lines = this.#lines.filter((l) => l.number > number);
  }

  /** Makes the sent lines wait: their call is lost. The members ignore a line that they have received before. */
  lost(): void {
    this.#turn("sent", "waiting");
  }

  #turn(from: Line["state"], to: Line["state"]): void {
    this.#lines = this.#lines.map((l) => (l.state === from ? { ...l, state: to } : l));
  }
}
