import type { Metadata, ReceivedHeaders } from "@parley-rpc/client";
import type { Pair } from "../../gen/conformance/v1/service_pb.js";

/** Adds pairs to metadata. */
export function addPairs(metadata: Metadata, pairs: readonly Pair[]): Metadata {
  for (const { key, value } of pairs) metadata.append(key, value);
  return metadata;
}

/** Returns the pairs that belong to the tests, ordered by key. */
export const toPairs = (headers: ReceivedHeaders | undefined): { key: string; value: string }[] =>
  [...new Set(headers?.keys())]
    .filter((key) => /^(x|parley)-/.test(key))
    .flatMap((key) => (headers?.getAll(key) ?? []).map((value) => ({ key, value: value.replace(/=+$/, "") })));
