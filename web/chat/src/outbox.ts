/** A line that was typed here and has not been said by the room yet. */
export interface Line {
  readonly id: number;
  readonly text: string;
  /** `waiting`: it has not left; `sent`: it is with a call; `unsure`: with one that was lost, so it may have arrived. */
  readonly state: "waiting" | "sent" | "unsure";
}

/** No more lines are kept. */
export const MAX_LINES = 50;

/** The lines that are on their way, in order. */
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

  /** Returns what has not left. It counts as sent from now on. */
  take(): string[] {
    const texts = this.#lines.filter((l) => l.state === "waiting").map((l) => l.text);
    this.#turn("waiting", "sent");
    return texts;
  }

  /** The room has said the oldest line that was sent: it says them in the order in which they were. */
  arrived(): void {
    const at = this.#lines.findIndex((l) => l.state === "sent");
    if (at >= 0) this.#lines.splice(at, 1);
  }

  /** The call is lost. */
  lost(): void {
    this.#turn("sent", "unsure");
  }

  /** Has a line sent once more, behind the others. */
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
