// @vitest-environment happy-dom
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { ParleyProvider, useBidi, useConnectionState, useStream } from "@parley-rpc/react";
import { act } from "@testing-library/react";
import { type ReactElement, Suspense, use } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToPipeableStream, renderToString } from "react-dom/server";
import { afterEach, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { FakeConnection } from "./fake.js";

afterEach(() => vi.restoreAllMocks());

function Page({ connection, data }: { connection: FakeConnection; data?: Promise<void> }) {
  return (
    <ParleyProvider connection={connection.real}>
      <Suspense fallback="wait">
        <Part {...(data && { data })} />
      </Suspense>
    </ParleyProvider>
  );
}

function Part({ data }: { data?: Promise<void> }) {
  const counted = useStream(PingService.method.countUp, { to: 3n });
  const added = useBidi(PingService.method.cumSum);
  const off = useStream(PingService.method.countUp, {}, { enabled: false });
  const connection = useConnectionState();
  if (data) use(data);
  return <p>{`${counted.state} ${counted.latest?.number} ${added.state} ${off.state} ${connection}`}</p>;
}

/** Shows what a server has rendered, and takes it over. */
async function hydrate(html: string, page: ReactElement): Promise<HTMLElement> {
  const container = document.createElement("div");
  container.innerHTML = html;
  const errors = vi.spyOn(console, "error");
  const wrong: unknown[] = [];
  await act(async () => hydrateRoot(container, page, { onRecoverableError: (e) => wrong.push(e) }));
  expect(wrong).toEqual([]);
  // React warns of the two renderers in this process.
  expect(errors.mock.calls.filter(([text]) => !`${text}`.includes("multiple renderers"))).toEqual([]);
  return container;
}

test("a server renders calls as open and makes none", async () => {
  const [server, page] = [new FakeConnection(), new FakeConnection()];
  server.state = "ready"; // of another page that the server renders
  const html = renderToString(<Page connection={server} />);
  expect(html).toContain("<p>open undefined open off idle</p>");
  expect(server.calls).toEqual([]);

  page.state = "ready"; // it was quicker than React
  const container = await hydrate(html, <Page connection={page} />);
  expect(container.textContent).toBe("open undefined open off ready");
  expect(page.open.length).toBe(2);
  await act(async () => page.calls[0]?.answer({ number: 3n }, undefined));
  expect(container.textContent).toBe("ended 3 open off ready");
});

test("a server streams a page that suspends, and makes no call", async () => {
  const server = new FakeConnection();
  const out = new PassThrough();
  const data = new Promise<void>((resolve) => setTimeout(resolve, 10));
  const { pipe } = renderToPipeableStream(<Page connection={server} data={data} />, { onAllReady: () => pipe(out) });
  const html = await text(out);
  expect(html).toContain("<p>open undefined open off idle</p>");
  expect(server.calls).toEqual([]);
  await hydrate(html, <Page connection={server} data={data} />);
  expect(server.open.length).toBe(2);
});
