import type { Pair } from "../../gen/conformance/v1/service_pb.js";

/** Adds pairs to headers. */
export function addPairs(headers: Headers, pairs: readonly Pair[]): Headers {
  for (const { key, value } of pairs) headers.append(key, value);
  return headers;
}

/** Returns the pairs that belong to the tests, ordered by key. A binary key with several values has them behind commas. */
export const toPairs = (headers: Headers | undefined): { key: string; value: string }[] =>
  [...(headers ?? [])]
    .filter(([key]) => /^(x|parley)-/.test(key))
    .flatMap(([key, value]) =>
      (key.endsWith("-bin") ? value.split(/, */) : [value]).map((v) => ({ key, value: v.replace(/=+$/, "") })),
    );
