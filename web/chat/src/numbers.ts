/** The most members whose numbers are known. */
const MAX_MEMBERS = 1024;

/** The highest number of the lines of each member. */
export class Numbers {
  #highest = new Map<string, bigint>();

  /** Reports whether a line is the first one with its number, and remembers it. */
  add(member: string, number: bigint): boolean {
    if (!number) return true; // it is not said again
    if (number <= (this.#highest.get(member) ?? 0n)) return false;
    this.#highest.delete(member);
    this.#highest.set(member, number); // the member that spoke last is last
    if (this.#highest.size > MAX_MEMBERS) this.#highest.delete(this.#highest.keys().next().value as string);
    return true;
  }
}
