import { ParleyError } from "./error.js";
import type { ReceivedHeaders } from "./metadata.js";
import * as Code from "./statuscodes.js";

/**
 * Headers that keep several values of one name apart. Iterating yields each value, `getAll` returns those of a name, and `get`
 * joins them, as in Headers.
 */
export class Metadata extends Headers implements ReceivedHeaders {
  #pairs: [name: string, value: string][] = [];

  constructor(init: HeadersInit = []) {
    super();
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs as Iterable<[string, string]>) this.append(name, value);
  }

  getAll(name: string): string[] {
    return this.#pairs.flatMap(([key, value]) => (key === name.toLowerCase() ? value : []));
  }

  override append(name: string, value: string): void {
    super.append(name, value); // it throws if one is invalid
    this.#pairs.push([name.toLowerCase(), `${value}`.trim()]);
  }

  override delete(name: string): void {
    super.delete(name);
    this.#pairs = this.#pairs.filter(([key]) => key !== name.toLowerCase());
  }

  override set(name: string, value: string): void {
    super.set(name, value); // it throws if one is invalid, before anything is deleted
    this.delete(name);
    this.append(name, value);
  }

  override entries(): HeadersIterator<[string, string]> {
    return this.#pairs.values();
  }

  override [Symbol.iterator](): HeadersIterator<[string, string]> {
    return this.entries();
  }
}

/** Creates Metadata from what a caller has given. It throws a ParleyError if it is invalid. */
export function toMetadata(init: HeadersInit | undefined): Metadata {
  try {
    return new Metadata(init);
  } catch (e) {
    throw new ParleyError(`headers: ${(e as Error).message}`, Code.InvalidArgument, { cause: e });
  }
}

/** Adds headers that arrived. */
export function addAll(to: Metadata, headers: ReceivedHeaders): void {
  for (const key of new Set(headers.keys())) for (const value of headers.getAll(key)) to.append(key, value);
}
