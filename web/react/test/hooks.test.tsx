// @vitest-environment happy-dom
import { type Connection, createConnection } from "@parley-rpc/client";
import { ParleyProvider, useBidi, useConnectionState, useStream } from "@parley-rpc/react";
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";

let server: Server;
let connection: Connection;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  connection = createConnection(server.url(), { WebSocket });
});
afterEach(async () => {
  cleanup();
  await connection.close();
});

/** Strict mode mounts, unmounts and mounts each component. */
const wrapper = ({ children }: { children: ReactNode }) => (
  <StrictMode>
    <ParleyProvider connection={connection}>{children}</ParleyProvider>
  </StrictMode>
);
const { countUp, cumSum } = PingService.method;
const calls = () => connection.call(PingService.method.ping);
const ask = async () => {
  const call = calls();
  await call.send({}, true);
  await call.next();
};

test("useStream shows the latest messages, and the end", async () => {
  const all: bigint[] = [];
  const { result } = renderHook(() => useStream(countUp, { to: 20n }, { keep: 3, onMessage: (m) => all.push(m.number) }), {
    wrapper,
  });
  await waitFor(() => expect(result.current.state).toBe("ended"));
  expect(result.current.messages.map((m) => m.number)).toEqual([18n, 19n, 20n]);
  expect(result.current.latest?.number).toBe(20n);
  expect(all.slice(-20)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i + 1)));
});

test("useStream makes one call for equal requests, and another for another one", async () => {
  let begun = 0;
  const { result, rerender } = renderHook(({ to }) => useStream(countUp, { to }, { onHeader: () => begun++ }), {
    wrapper,
    initialProps: { to: 3n },
  });
  await waitFor(() => expect(result.current.latest?.number).toBe(3n));
  const before = begun;
  rerender({ to: 3n });
  rerender({ to: 3n });
  expect(result.current.state).toBe("ended");
  expect(begun).toBe(before);
  rerender({ to: 5n });
  await waitFor(() => expect(result.current.latest?.number).toBe(5n));
  expect(result.current.messages.length).toBe(1);
});

test("useStream cancels its call when the component goes", async () => {
  const { result, unmount } = renderHook(() => useStream(countUp, { to: 1_000_000n, delayMs: 1 }), { wrapper });
  await waitFor(() => expect(result.current.latest).toBeDefined());
  unmount();
  await server.steady(ask);
});

test("useStream shows the error", async () => {
  const { result } = renderHook(() => useStream(countUp, { to: 1n, delayMs: 60_000 }, { timeoutMs: 30 }), { wrapper });
  expect(result.current.state).toBe("open");
  await waitFor(() => expect(result.current.state).toBe("failed"));
  expect(result.current.error?.message).toMatch(/^deadline_exceeded/);
});

test("useStream makes no call while it is not enabled", async () => {
  const { result, rerender } = renderHook(({ enabled }) => useStream(countUp, { to: 2n }, { enabled }), {
    wrapper,
    initialProps: { enabled: false },
  });
  expect(result.current.state).toBe("off");
  expect(connection.state).toBe("idle");
  rerender({ enabled: true });
  await waitFor(() => expect(result.current.latest?.number).toBe(2n));
  rerender({ enabled: false });
  expect(result.current.state).toBe("off");
});

test("useBidi sends and receives, and its functions stay the same", async () => {
  const { result } = renderHook(() => useBidi(cumSum, { keep: 10 }), { wrapper });
  const { send, end } = result.current;
  await act(() => send({ number: 2n }));
  await waitFor(() => expect(result.current.latest?.sum).toBe(2n));
  await act(() => send({ number: 40n }));
  await waitFor(() => expect(result.current.messages.map((m) => m.sum)).toEqual([2n, 42n]));
  expect(result.current.send).toBe(send);
  act(end);
  await waitFor(() => expect(result.current.state).toBe("ended"));
  await expect(send({ number: 1n })).rejects.toThrow("failed_precondition");
});

test("useBidi shows the status of a call that fails", async () => {
  const { result } = renderHook(() => useBidi(cumSum), { wrapper });
  await act(async () => {
    await result.current.send({ number: 2n ** 62n });
    await result.current.send({ number: 2n ** 62n });
  });
  await waitFor(() => expect(result.current.error?.message).toMatch(/^out_of_range/));
});

test("useConnectionState follows the connection", async () => {
  const { result } = renderHook(() => useConnectionState(), { wrapper });
  expect(result.current).toBe("idle");
  await act(() => connection.connect());
  await waitFor(() => expect(result.current).toBe("ready"));
  await act(() => connection.close());
  await waitFor(() => expect(result.current).toBe("closed"));
});

test("a hook without a connection says what to do", () => {
  expect(() => renderHook(() => useConnectionState())).toThrow("wrap the component in a ParleyProvider");
});
