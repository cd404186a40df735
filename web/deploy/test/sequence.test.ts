import { expect, test } from "vitest";
import { Sequence } from "../src/sequence.js";

test.each([
  ["all", [0, 1, 2], 3, [0, 0, 0]],
  ["nothing", [], 2, [2, 0, 0]],
  ["one is missing", [0, 2], 3, [1, 0, 0]],
  ["the end is missing", [0, 1], 3, [1, 0, 0]],
  ["one came twice", [0, 1, 1, 2], 3, [0, 1, 0]],
  ["two are swapped", [0, 2, 1], 3, [0, 0, 1]],
  ["one came late, and twice", [1, 2, 0, 0], 3, [0, 1, 1]],
])("a sequence counts what comes: %s", (_, came, sent, want) => {
  const s = new Sequence();
  for (const n of came) s.take(n);
  const { lost, duplicated, reordered } = s.close(sent);
  expect([lost, duplicated, reordered]).toEqual(want);
});
