/** Counts the numbered notes of one direction of a call, like the sequence of tests/deploy. */
export class Sequence {
  received = 0;
  duplicated = 0;
  reordered = 0;
  #missing = new Set<number>();

  /** Expects next as the first number. */
  constructor(public next = 0) {}

  take(number: number): void {
    if (number >= this.next) {
      this.#miss(number);
      this.next = number + 1;
    } else if (this.#missing.delete(number)) {
      this.reordered++;
    } else {
      this.duplicated++;
      return;
    }
    this.received++;
  }

  #miss(end: number): void {
    for (let n = this.next; n < end && this.#missing.size < 1 << 16; n++) this.#missing.add(n);
  }

  get missing(): number {
    return this.#missing.size;
  }

  /** Records that the numbers below end were sent. */
  close(end: number): { lost: number; duplicated: number; reordered: number } {
    this.#miss(end);
    return { lost: this.missing, duplicated: this.duplicated, reordered: this.reordered };
  }
}
