import { expect, test } from "vitest";
import { parse } from "../src/options.js";
import { workloads } from "../src/workload.js";

test("without arguments everything is measured, by the command that readers are told", () => {
  const options = parse(["--out", "folder"]);
  expect(options).toMatchObject({ rounds: 6, measureMs: 500, out: "folder", command: "make bench-browser" });
  expect(options.workloads).toEqual(workloads);
});

test("the command that readers are told has what changes the figures, and no folder", () => {
  const options = parse(["--rounds=2", "--profile", "folder", "--workloads", "stream,unary-1"]);
  expect(options.workloads.map((w) => w.name)).toEqual(["stream", "unary-1"]);
  expect(options.command).toBe("npm run speed -- --rounds 2 --workloads stream,unary-1");
});

test.for([
  [["--rounds", "many"], "--rounds is many"],
  [["--seconds", "0"], "--seconds is 0"],
  [["--workloads", "unary-65"], "nothing is named unary-65"],
  [["--loud"], "--loud"],
  [["everything"], "everything"],
] as const)("%j is refused", ([args, says]) => {
  expect(() => parse([...args])).toThrow(says);
});
