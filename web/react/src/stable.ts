import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { useEffect, useRef } from "react";

/** Returns the value of the last commit as long as the new value is the same. */
export function useStable<T>(value: T, isSame: (a: T, b: T) => boolean): T {
  const committed = useRef(value);
  const stable = isSame(committed.current, value) ? committed.current : value;
  useEffect(() => {
    committed.current = stable;
  });
  return stable;
}

/** Creates a message. It returns the previous object if the contents are the same. */
export function useRequest<I extends DescMessage>(schema: I, init: MessageInitShape<I>): MessageShape<I> {
  return useStable(create(schema, init), (a, b) => isSameMessage(schema, a, b));
}

/** Returns the list. It returns the previous array if the items are the same. */
export const useKey = (deps: readonly unknown[]): readonly unknown[] =>
  useStable(deps, (a, b) => a.length === b.length && a.every((v, i) => Object.is(v, b[i])));

/**
 * Reports whether two messages are the same request. NaN equals NaN, the order of a map does not matter, unknown fields matter.
 * Where 0 and -0 differ, the encoded bytes decide: they differ for double but not for int32.
 */
export function isSameMessage<D extends DescMessage>(schema: D, a: MessageShape<D>, b: MessageShape<D>): boolean {
  if (isEqual(a, b)) return true;
  try {
    return a.$typeName === b.$typeName && isEqual(toBinary(schema, a), toBinary(schema, b));
  } catch {
    return false; // one of the two cannot be encoded, and its call reports that
  }
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  const ownProperty = (o: object, key: string) => (Object.hasOwn(o, key) ? (o as Record<string, unknown>)[key] : undefined);
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Array.isArray(a) === Array.isArray(b) && [...keys].every((key) => isEqual(ownProperty(a, key), ownProperty(b, key)));
}
