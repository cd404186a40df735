/** A first-in first-out queue. To take an item out costs the same however many are left; shift of a long Array moves them all. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  /** How many of the items are taken. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (!this.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The items in order. */
  all(): T[] {
    return this.#items.slice(this.#head) as T[];
  }
}
