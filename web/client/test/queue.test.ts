import { expect, test } from "vitest";
import { Queue } from "../src/queue.js";
import { Replay } from "../src/replay.js";

test("a queue gives out what it was given, in order", () => {
  const queue = new Queue<number>();
  let put = 0;
  let got = 0;
  for (let round = 1; round < 200; round++) {
    for (let i = 0; i < round % 17; i++) queue.push(put++);
    for (let i = 0; i < round % 13 && queue.length; i++) expect(queue.shift()).toBe(got++);
    const all = Array.from({ length: queue.length }, (_, i) => queue.at(i));
    expect(all).toEqual(Array.from({ length: put - got }, (_, i) => got + i));
  }
  while (queue.length) expect(queue.shift()).toBe(got++);
  expect(queue.shift()).toBeUndefined();
  expect(got).toBe(put);
});

// With an Array that moves its items up each time this copies 150 GB.
test("acknowledgements one by one do not move all that is kept", () => {
  const frames = 200_000;
  const replay = new Replay(65_536);
  const frame = new Uint8Array(5);
  for (let i = 0; i < frames; i++) replay.push(frame, 0);
  for (let n = 1; n <= frames; n++) if (!replay.ack(n, 0)) expect.unreachable(`${n}`);
  expect(replay.bytes).toBe(0);
  expect(replay.ack(frames - 1, 0)).toBe(false);
  expect(replay.ack(frames + 1, 0)).toBe(false);
});
