// @vitest-environment happy-dom
import { Code, type Connection, ParleyError } from "@parley-rpc/client";
import { type CallState, ParleyProvider, useBidi, useConnectionState, useStream } from "@parley-rpc/react";
import { act, cleanup, render, renderHook } from "@testing-library/react";
import { Activity, StrictMode, Suspense, use, useEffect, useLayoutEffect } from "react";
import { afterEach, expect, test } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { FakeConnection } from "./fake.js";

afterEach(cleanup);

const { countUp, cumSum } = PingService.method;
const number = (n: number) => ({ number: BigInt(n) });

/** What a component has shown, commit by commit. */
type Commit = { to: number; state: string; latest: bigint | undefined; messages: number; error: string | undefined };

interface Props {
  connection: Connection;
  to: number;
  enabled?: boolean;
  keep?: number;
}

function watch(commits: Commit[]) {
  return function Watch({ connection, to, ...options }: Props) {
    const shown: CallState<{ number: bigint }> = useStream(countUp, { to: BigInt(to) }, { connection, ...options });
    useLayoutEffect(() => {
      const { state, latest, messages, error } = shown;
      commits.push({ to, state, latest: latest?.number, messages: messages.length, error: error?.message });
    });
    return null;
  };
}

for (const [what, next, state] of [
  ["request", { to: 2 }, "open"],
  ["connection", { connection: new FakeConnection().real }, "open"],
  ["enabled", { enabled: false }, "off"],
] as const) {
  test(`the first commit with another ${what} shows nothing of the former call`, async () => {
    for (const end of [undefined, new ParleyError("gone", Code.NotFound)]) {
      const commits: Commit[] = [];
      const Watch = watch(commits);
      const one = new FakeConnection();
      const { rerender } = render(<Watch connection={one.real} to={1} />);
      expect(commits).toEqual([{ to: 1, state: "open", latest: undefined, messages: 0, error: undefined }]);
      await act(async () => one.calls[0]?.answer(number(7), end));
      expect(commits.at(-1)).toMatchObject({ latest: 7n, state: end ? "failed" : "ended" });
      const before = commits.length;
      await act(async () => rerender(<Watch connection={one.real} to={1} {...next} />));
      expect(commits[before]).toMatchObject({ state, latest: undefined, messages: 0, error: undefined });
      expect(one.calls[0]?.canceled).toBe(true);
      cleanup();
    }
  });
}

test("the first commit with enabled is open, and has its call", async () => {
  const commits: Commit[] = [];
  const Watch = watch(commits);
  const one = new FakeConnection();
  const { rerender } = render(<Watch connection={one.real} to={1} enabled={false} />);
  rerender(<Watch connection={one.real} to={1} enabled />);
  expect(commits.slice(0, 2).map((c) => c.state)).toEqual(["off", "open"]);
  expect(one.open.length).toBe(1);
});

test("useBidi shows nothing of the former connection, and sends to the new one", async () => {
  const [one, two] = [new FakeConnection(), new FakeConnection()];
  const states: string[] = [];
  const { result, rerender } = renderHook(
    ({ connection }) => {
      const bidi = useBidi(cumSum, { connection });
      useLayoutEffect(() => void states.push(`${bidi.state} ${bidi.latest?.sum}`));
      return bidi;
    },
    { initialProps: { connection: one.real } },
  );
  await act(async () => one.calls[0]?.answer({ sum: 1n }));
  expect(states).toEqual(["open undefined", "open 1"]);
  rerender({ connection: two.real });
  expect(states[2]).toBe("open undefined");
  await act(() => result.current.send({ number: 5n }));
  expect(two.calls[0]?.sent).toEqual([{ number: 5n }]);
});

test("useBidi sends what a child's effect gives it before there is a call", async () => {
  const one = new FakeConnection();
  function Child({ send, end }: { send: (m: { number: bigint }) => Promise<void>; end: () => void }) {
    useEffect(() => void send({ number: 1n }).then(end), [send, end]);
    return null;
  }
  function Parent() {
    return <Child {...useBidi(cumSum, { connection: one.real })} />;
  }
  await act(async () => render(<Parent />));
  expect(one.calls[0]?.sent).toEqual([{ number: 1n }, "end"]);
});

test("useBidi refuses to send while it is not enabled", async () => {
  const one = new FakeConnection();
  const { result } = renderHook(() => useBidi(cumSum, { connection: one.real, enabled: false }));
  await expect(result.current.send({ number: 1n })).rejects.toThrow("failed_precondition: no call");
  result.current.end();
  expect(one.calls).toEqual([]);
});

test("keep holds for 0, undefined and any other number", async () => {
  for (const [keep, kept] of [
    [0, []],
    [undefined, [4n]],
    [1, [4n]],
    [2.7, [3n, 4n]],
    [0.5, []],
    [-1, []],
    [Number.NaN, []],
    [Number.POSITIVE_INFINITY, [1n, 2n, 3n, 4n]],
  ] as const) {
    const one = new FakeConnection();
    const told: bigint[] = [];
    const { result } = renderHook(() =>
      useStream(countUp, {}, { connection: one.real, keep, onMessage: (m) => told.push(m.number) }),
    );
    await act(async () => one.calls[0]?.answer(...[1, 2, 3, 4].map(number)));
    expect(result.current.messages.map((m) => m.number)).toEqual(kept);
    expect(result.current.latest?.number).toBe(kept.at(-1));
    expect(told).toEqual([1n, 2n, 3n, 4n]);
  }
});

test("keep may change while messages arrive", async () => {
  const one = new FakeConnection();
  const { result, rerender } = renderHook(({ keep }) => useStream(countUp, {}, { connection: one.real, keep }), {
    initialProps: { keep: 3 },
  });
  const messages = () => result.current.messages.map((m) => Number(m.number));
  await act(async () => one.calls[0]?.answer(...[1, 2, 3, 4].map(number)));
  expect(messages()).toEqual([2, 3, 4]);
  rerender({ keep: 1 });
  expect(messages()).toEqual([4]);
  rerender({ keep: 3 });
  expect(messages()).toEqual([4]); // what was dropped does not reappear
  await act(async () => one.calls[0]?.answer(...[5, 6, 7].map(number)));
  expect(messages()).toEqual([5, 6, 7]);
  rerender({ keep: 0 });
  expect(messages()).toEqual([]);
  expect(one.calls.length).toBe(1);
});

test("messages stays the same array while no message comes", async () => {
  const one = new FakeConnection();
  const { result, rerender } = renderHook(() => useStream(countUp, {}, { connection: one.real, keep: 2 }));
  await act(async () => one.calls[0]?.answer(number(1), number(2), number(3)));
  const before = result.current.messages;
  rerender();
  expect(result.current.messages).toBe(before);
});

test("strict mode leaves one call, whose messages are shown", async () => {
  const one = new FakeConnection();
  const { result, unmount } = renderHook(() => useStream(countUp, { to: 1n }, { connection: one.real }), { wrapper: StrictMode });
  expect(one.calls.length).toBe(2);
  expect(one.open.length).toBe(1);
  await act(async () => {
    one.calls[0]?.answer(number(1));
    one.open[0]?.answer(number(2));
  });
  expect(result.current.messages.map((m) => m.number)).toEqual([2n]);
  unmount();
  expect(one.open).toEqual([]);
});

test("a suspended component makes one call and keeps it", async () => {
  const one = new FakeConnection();
  let arrive = () => {};
  const data = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let later: Promise<void> | undefined;
  function Part() {
    const { latest } = useStream(countUp, { to: 1n }, { connection: one.real });
    use(data);
    if (later) use(later);
    return <p>{`${latest?.number}`}</p>;
  }
  const page = () => (
    <Suspense fallback="wait">
      <Part />
    </Suspense>
  );
  const { container, rerender } = await act(async () => render(page()));
  expect(container.textContent).toBe("wait");
  expect(one.calls).toEqual([]);
  await act(async () => arrive());
  expect(one.calls.length).toBe(1);
  later = new Promise(() => {});
  await act(async () => rerender(page()));
  expect(container.textContent).toContain("wait");
  await act(async () => one.calls[0]?.answer(number(3)));
  later = undefined;
  await act(async () => rerender(page()));
  expect(container.textContent).toBe("3");
  expect(one.calls.length).toBe(1);
});

test("a component hidden by Activity drops its call", async () => {
  const one = new FakeConnection();
  const commits: Commit[] = [];
  const Watch = watch(commits);
  const page = (mode: "visible" | "hidden") => (
    <Activity mode={mode}>
      <Watch connection={one.real} to={1} />
    </Activity>
  );
  const { rerender } = await act(async () => render(page("visible")));
  await act(async () => one.calls[0]?.answer(number(3)));
  await act(async () => rerender(page("hidden")));
  expect(one.open).toEqual([]);
  const before = commits.length;
  await act(async () => rerender(page("visible")));
  expect(commits[before]).toMatchObject({ state: "open", latest: undefined });
  expect(one.open.length).toBe(1);
});

test("useConnectionState shows the state of another connection in the first commit", async () => {
  const [one, two] = [new FakeConnection(), new FakeConnection()];
  one.state = "ready";
  const states: string[] = [];
  function Badge() {
    const state = useConnectionState();
    useLayoutEffect(() => void states.push(state));
    return null;
  }
  const page = (connection: Connection) => (
    <ParleyProvider connection={connection}>
      <Badge />
    </ParleyProvider>
  );
  const { rerender } = render(page(one.real));
  rerender(page(two.real));
  expect(states).toEqual(["ready", "idle"]);
  await act(async () => two.enter("connecting"));
  await act(async () => one.enter("failed"));
  expect(states).toEqual(["ready", "idle", "connecting"]);
});
