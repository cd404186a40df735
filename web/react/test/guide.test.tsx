// @vitest-environment happy-dom
// What docs/browser.md shows is run here.
import { createConnection } from "@parley-rpc/client";
import { ParleyProvider, useBidi, useConnectionState, useFollow, useStream } from "@parley-rpc/react";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";

//snippet:hooks
function Counter({ to }: { to: bigint }) {
  const { latest, state, error } = useStream(PingService.method.countUp, { to });
  return <p>{error ? error.message : `${latest?.number ?? "nothing yet"}, ${state}`}</p>;
}

function Adder() {
  const { messages, send, state } = useBidi(PingService.method.cumSum, { keep: 5 });
  return (
    <button type="button" disabled={state !== "open"} onClick={() => send({ number: 1n })}>
      {messages.map(({ sum }) => `${sum}`).join(" ")}
    </button>
  );
}

function Feed() {
  const { messages, state, error } = useFollow(PingService.method.countUp, {
    from: 0n,
    request: (after) => ({ to: after + 3n }), // a real one would ask for what is behind the cursor
    cursor: ({ number }) => number,
    keep: 3,
  });
  return <p>{state === "waiting" ? `back soon: ${error?.message}` : messages.map(({ number }) => `#${number}`).join(" ")}</p>;
}

function Badge() {
  return <small>{useConnectionState()}</small>;
}
//snippet:end

test("components have calls, which end with them", async () => {
  const server = await Server.start();
  const connection = createConnection(server.url(), { WebSocket });
  render(
    <StrictMode>
      {/* biome-ignore format: as in the document */}
      <ParleyProvider connection={connection}><Counter to={3n} /><Adder /><Feed /><Badge /></ParleyProvider>
    </StrictMode>,
  );
  expect(await screen.findByText("3, ended")).toBeTruthy();
  const button = await screen.findByRole("button");
  fireEvent.click(button);
  expect(await screen.findByText("1")).toBeTruthy();
  fireEvent.click(button);
  expect(await screen.findByText("1 2")).toBeTruthy();
  expect(await screen.findByText("#1 #2 #3")).toBeTruthy();
  expect(await screen.findByText("ready")).toBeTruthy();
  cleanup();
  await connection.close();
  await server.stop();
});
