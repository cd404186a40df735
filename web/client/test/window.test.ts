import { expect, test } from "vitest";
import { FRAME_COST, MAX_WINDOW, RecvWindow, SendWindow, WINDOW_BUDGET } from "../src/window.js";

const nothing = { left: 0 };

test("a reader grants more when half of its window is used", () => {
  const w = new RecvWindow(16_384);
  expect(w.receive(16_384, 1)).toBe(true);
  expect(w.consume(8000, nothing, 1, 0)).toBe(0);
  expect(w.consume(8384, nothing, 1, 0)).toBe(32_768);
  expect(w.receive(16_384, 1)).toBe(true);
  expect(w.receive(1, 1)).toBe(false);
});

test("a window grows within the budget and returns it", () => {
  const budget = { left: 100_000 };
  const w = new RecvWindow(65_536);
  const use = (cost: number, now: number) => {
    w.receive(cost, now);
    return w.consume(cost, budget, now, 0);
  };
  use(65_536, 1000);
  expect(budget.left).toBe(100_000 - 65_536);
  use(131_072, 1010);
  expect(budget.left).toBe(0);
  expect(w.limit).toBe(65_536 + 131_072 + 165_536);
  w.close(budget);
  expect(budget.left).toBe(100_000);
});

test("a window grows up to 16 MiB", () => {
  const budget = { left: WINDOW_BUDGET };
  const w = new RecvWindow(65_536);
  for (let i = 0; i < 20; i++) {
    const half = Math.ceil((w.limit - i) / 2);
    w.receive(half, 1000);
    w.consume(half, budget, 1000, 0);
  }
  expect(WINDOW_BUDGET - budget.left).toBe(MAX_WINDOW - 65_536);
});

test("a window grows as long as it does not last two round trips", () => {
  const grown = (roundTrip: number, every: number, lag = 0) => {
    const budget = { left: WINDOW_BUDGET };
    const w = new RecvWindow(65_536);
    let now = 1000;
    w.receive(lag, now);
    for (let i = 0; i < 5; i++, now += every) {
      w.receive(32_768, now);
      w.consume(32_768, budget, now + every - 1, roundTrip);
    }
    return budget.left < WINDOW_BUDGET;
  };
  expect([grown(100, 200), grown(100, 201 + 1)]).toEqual([true, false]);
  expect([grown(0, 20), grown(0, 22)]).toEqual([true, false]); // on one machine
  expect([grown(100, 20, 16_383), grown(100, 20, 16_384)]).toEqual([true, false]); // the reader lags behind
});

test("a slow reader's window stays as it is", () => {
  const budget = { left: 100_000 };
  const w = new RecvWindow(65_536);
  for (let now = 1000; now < 5000; now += 1000) {
    w.receive(65_536, now);
    w.consume(65_536, budget, now + 999, 100);
  }
  expect(budget.left).toBe(100_000);
});

test("a stream that carries much has 1 MiB at once, until half of the budget is used up", () => {
  const budget = { left: WINDOW_BUDGET };
  const windows = Array.from({ length: 40 }, () => new RecvWindow(65_536));
  const limits = windows.map((w) => w.widen(budget));
  expect(limits.slice(0, 34)).toEqual([...Array(34).fill(1 << 20)]);
  expect(limits[34]).toBe(65_536 + 131_072); // what is left
  expect(limits.slice(35)).toEqual(Array(5).fill(0));
  expect(budget.left).toBe(WINDOW_BUDGET / 2);
  expect(windows[0]!.widen(budget)).toBe(0);
  for (const w of windows) w.close(budget);
  expect(budget.left).toBe(WINDOW_BUDGET);
});

test("a writer splits a message, but not into tiny fragments", () => {
  const w = new SendWindow();
  w.raise(16_384);
  expect(w.spend(20_000, 8192)).toBe(8192);
  expect(w.spend(11_808, 65_536)).toBe(16_384 - 8192 - 2 * FRAME_COST);
  expect(w.spend(3680, 65_536)).toBe(-1);
  w.raise(16_384 + 4000);
  expect(w.spend(5000, 65_536)).toBe(-1); // less than 4,128 is left
  expect(w.spend(3968, 65_536)).toBe(3968);
  w.raise(1); // goes back: ignored
  expect(w.spend(1, 65_536)).toBe(-1);
});
