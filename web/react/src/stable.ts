import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { useEffect, useRef } from "react";

/** Returns the value of the last commit while the new one is the same. */
export function useStable<T>(value: T, isSame: (a: T, b: T) => boolean): T {
  const committed = useRef(value);
  const stable = isSame(committed.current, value) ? committed.current : value;
  useEffect(() => {
    committed.current = stable;
  });
  return stable;
}

/** Makes a message, which stays the same while it says the same. */
export function useRequest<I extends DescMessage>(schema: I, init: MessageInitShape<I>): MessageShape<I> {
  return useStable(create(schema, init), (a, b) => isSameMessage(schema, a, b));
}

/** Returns a list, which stays the same while its items are. */
export const useKey = (deps: readonly unknown[]): readonly unknown[] =>
  useStable(deps, (a, b) => a.length === b.length && a.every((v, i) => Object.is(v, b[i])));

/**
 * Reports whether two messages are one request. NaN equals NaN, the order of a map does not count, unknown fields do.
 * Where 0 and -0 differ, their bytes decide: they are two numbers of type double, and one of type int32.
 */
export function isSameMessage<D extends DescMessage>(schema: D, a: MessageShape<D>, b: MessageShape<D>): boolean {
  if (isEqual(a, b)) return true;
  try {
    return a.$typeName === b.$typeName && isEqual(toBinary(schema, a), toBinary(schema, b));
  } catch {
    return false; // one of the two cannot be sent, which its call reports
  }
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  const ownProperty = (o: object, key: string) => (Object.hasOwn(o, key) ? (o as Record<string, unknown>)[key] : undefined);
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Array.isArray(a) === Array.isArray(b) && [...keys].every((key) => isEqual(ownProperty(a, key), ownProperty(b, key)));
}
