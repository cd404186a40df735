import { expect, test } from "vitest";
import { FRAME_COST, RecvWindow, SendWindow } from "../src/window.js";

const nothing = { left: 0 };

test("a reader grants more when half of its window is used", () => {
  const w = new RecvWindow(16_384);
  expect(w.receive(16_384)).toBe(true);
  expect(w.consume(8000, nothing, 0)).toBe(0);
  expect(w.consume(8384, nothing, 0)).toBe(32_768);
  expect(w.receive(16_384)).toBe(true);
  expect(w.receive(1)).toBe(false);
});

test("a window grows within the budget and returns it", () => {
  const budget = { left: 100_000 };
  const w = new RecvWindow(65_536);
  let now = 1000;
  const use = (cost: number) => {
    w.receive(cost);
    return w.consume(cost, budget, now);
  };
  use(65_536); // the first time tells nothing about how fast it is
  expect(budget.left).toBe(100_000);
  now += 10;
  use(65_536);
  expect(budget.left).toBe(100_000 - 65_536);
  now += 10;
  use(131_072);
  expect(budget.left).toBe(0);
  now += 10_000;
  expect(w.limit).toBe(65_536 * 2 + 131_072 + 165_536);
  w.close(budget);
  expect(budget.left).toBe(100_000);
});

test("a slow reader's window stays as it is", () => {
  const budget = { left: 100_000 };
  const w = new RecvWindow(65_536);
  for (let now = 1000; now < 5000; now += 1000) {
    w.receive(65_536);
    w.consume(65_536, budget, now);
  }
  expect(budget.left).toBe(100_000);
});

test("a writer splits a message, but not into tiny fragments", () => {
  const w = new SendWindow(16_384);
  expect(w.spend(20_000, 8192)).toBe(8192);
  expect(w.spend(11_808, 65_536)).toBe(16_384 - 8192 - 2 * FRAME_COST);
  expect(w.spend(3680, 65_536)).toBe(-1);
  w.raise(16_384 + 4000);
  expect(w.spend(5000, 65_536)).toBe(-1); // less than 4,128 is left
  expect(w.spend(3968, 65_536)).toBe(3968);
  w.raise(1); // goes back: ignored
  expect(w.spend(1, 65_536)).toBe(-1);
});
