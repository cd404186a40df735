// @vitest-environment happy-dom
import { Code, ParleyError, retryLater } from "@parley-rpc/client";
import { useFollow } from "@parley-rpc/react";
import { act, cleanup, renderHook } from "@testing-library/react";
import { StrictMode, useLayoutEffect } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { FakeConnection } from "./fake.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  cleanup();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const number = (n: number) => ({ number: BigInt(n) });

/** Shows what is counted from a number on; the request's field `to` is the cursor here. */
function useCount(one: FakeConnection, from: bigint, delayMs: number, more: object, commits: string[]) {
  const shown = useFollow(PingService.method.countUp, {
    connection: one.real,
    from,
    request: (to) => ({ to, delayMs }),
    cursor: (m) => m.number,
    keep: 10,
    jitter: (bound) => bound,
    ...more,
  });
  useLayoutEffect(() => {
    commits.push(`${shown.state} ${shown.messages.map((m) => m.number).join()}${shown.error ? ` ${shown.error.code}` : ""}`);
  });
  return shown;
}

const render = (one: FakeConnection, more: object = {}, options: object = {}) => {
  const commits: string[] = [];
  const hook = renderHook(({ from = 0n, delayMs = 0 }) => useCount(one, from, delayMs, more, commits), {
    initialProps: {} as { from?: bigint; delayMs?: number },
    ...options,
  });
  return { ...hook, commits };
};

const asked = (one: FakeConnection) => one.calls.map((c) => (c.sent[0] as { to: bigint }).to);

test("useFollow opens a stream again after its last message", async () => {
  const one = new FakeConnection();
  const { commits } = render(one);
  await act(async () => one.calls[0]?.answer(number(1), number(2), retryLater(1000)));
  expect(commits.at(-1)).toBe("waiting 1,2 14");
  await act(() => vi.advanceTimersByTimeAsync(1099));
  expect(one.calls.length).toBe(1);
  await act(() => vi.advanceTimersByTimeAsync(1));
  expect(commits.at(-1)).toBe("open 1,2");
  expect(asked(one)).toEqual([0n, 2n]);
  await act(async () => one.calls[1]?.answer(number(3), undefined));
  expect(commits.at(-1)).toBe("ended 1,2,3");
});

test("useFollow shows an error that does not pass", async () => {
  const one = new FakeConnection();
  const { commits } = render(one);
  await act(async () => one.calls[0]?.answer(number(1), new ParleyError("no", Code.PermissionDenied)));
  expect(commits.at(-1)).toBe("failed 1 7");
  await act(() => vi.advanceTimersByTimeAsync(100_000));
  expect(one.calls.length).toBe(1);
});

test("useFollow starts again when the start or the request changes", async () => {
  const one = new FakeConnection();
  const { commits, rerender } = render(one);
  await act(async () => one.calls[0]?.answer(number(1)));
  for (const props of [{ from: 5n }, { from: 5n, delayMs: 1 }]) {
    const before = commits.length;
    await act(async () => rerender(props));
    expect(commits[before]).toBe("open ");
    expect(one.open.length).toBe(1);
    await act(async () => one.calls.at(-1)?.answer(number(9)));
    expect(commits.at(-1)).toBe("open 9");
  }
  const calls = one.calls.length;
  await act(async () => rerender({ from: 5n, delayMs: 1 }));
  expect(one.calls.length).toBe(calls);
  expect(asked(one)).toEqual([0n, 5n, 5n]);
});

test("useFollow ends with its component, also while it waits", async () => {
  const one = new FakeConnection();
  const { unmount } = render(one, {}, { wrapper: StrictMode });
  expect(one.open.length).toBe(1);
  await act(async () => one.open[0]?.answer(new ParleyError("gone", Code.Unavailable)));
  unmount();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(one.calls.length).toBe(2);
  const two = new FakeConnection();
  render(two).unmount();
  expect(two.open).toEqual([]);
});

test("useFollow makes no call while it is not enabled, and passes options on", async () => {
  const one = new FakeConnection();
  const { commits } = render(one, { enabled: false });
  expect(commits).toEqual(["off "]);
  expect(one.calls).toEqual([]);
  render(one, { timeoutMs: 5000, complete: "reopen", backoff: { initialMs: 7, maxMs: 7 } });
  expect(one.calls[0]?.options).toMatchObject({ timeoutMs: 5000, signal: expect.any(AbortSignal) });
  await act(async () => one.calls[0]?.answer(undefined));
  await act(() => vi.advanceTimersByTimeAsync(7));
  expect(one.calls.length).toBe(2);
});
