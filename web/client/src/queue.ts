/** A FIFO queue. The cost of shift does not depend on the length, unlike that of an Array. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  /** The number of items that were removed from #items. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Returns the item with this index, from 0. */
  at(i: number): T | undefined {
    return this.#items[this.#head + i];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (!this.length) return undefined;
    const item = this.at(0);
    this.#items[this.#head++] = undefined;
    if (this.#head > 31 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}
