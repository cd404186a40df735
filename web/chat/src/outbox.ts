/** A line that was typed here and not yet said in the room. */
export interface Line {
  readonly id: number;
  readonly text: string;
  /** `waiting`: not sent; `sent`: sent on the current call; `unsure`: sent on a lost call, so it may have arrived. */
  readonly state: "waiting" | "sent" | "unsure";
}

/** The most lines that are kept. */
export const MAX_LINES = 50;

/** The unsent lines in order. */
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
    this.#lines.push({ id: this.#next++, text, state: "waiting" });
  }

  /** Returns the waiting lines and marks them as sent. */
  take(): string[] {
    const texts = this.#lines.filter((l) => l.state === "waiting").map((l) => l.text);
    this.#turn("waiting", "sent");
    return texts;
  }

  /** Removes the oldest sent line: the room says lines in the order in which they were sent. */
  arrived(): void {
    const at = this.#lines.findIndex((l) => l.state === "sent");
    if (at >= 0) this.#lines.splice(at, 1);
  }

  /** Marks the sent lines as unsure: their call is lost. */
  lost(): void {
    this.#turn("sent", "unsure");
  }

  /** Sends a line again, after the others. */
  resend(id: number): void {
    const line = this.drop(id);
    if (line) this.#lines.push({ ...line, state: "waiting" });
  }

  drop(id: number): Line | undefined {
    const at = this.#lines.findIndex((l) => l.id === id);
    return at < 0 ? undefined : this.#lines.splice(at, 1)[0];
  }

  #turn(from: Line["state"], to: Line["state"]): void {
    this.#lines = this.#lines.map((l) => (l.state === from ? { ...l, state: to } : l));
  }
}
