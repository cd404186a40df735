import { expect, test } from "vitest";
import { countCopies } from "../src/copied.js";

test("copies are counted, views and new memory are not", () => {
  const counted = countCopies();
  const a = new Uint8Array(1000); // new memory
  a.subarray(1); // views
  new Uint8Array(a.buffer, 10, 10);
  a.set(new Uint8Array(100), 5); // copies
  a.slice(0, 20);
  a.buffer.slice(0, 3);
  new Uint8Array(new Uint8Array(4000));
  new Uint8Array([1, 2]);
  expect(counted()).toBe(100 + 20 + 3 + 4000 + 2);
});

test("when it has ended everything is as before", () => {
  const before = [Uint8Array, Uint8Array.prototype.set, Uint8Array.prototype.slice, ArrayBuffer.prototype.slice];
  countCopies()();
  expect([Uint8Array, Uint8Array.prototype.set, Uint8Array.prototype.slice, ArrayBuffer.prototype.slice]).toEqual(before);
});
