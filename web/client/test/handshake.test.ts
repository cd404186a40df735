import { Code, type ConnectionOptions, createClient, createConnection, ParleyError } from "@parley-rpc/client";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Fake } from "../../testing/fake.js";

/** Returns the error of a call to a URL. */
async function failure(url: string, options: ConnectionOptions): Promise<ParleyError> {
  const conn = createConnection(url, options);
  try {
    await createClient(PingService, conn).ping({});
  } catch (e) {
    return ParleyError.from(e);
  } finally {
    await conn.close();
  }
  throw new Error("the call has not failed");
}

const senders: [who: string, mayClose: (code: number) => boolean, code: number][] = [
  ["a WebSocket that sends any code", () => true, 1002],
  ["a browser", (code) => code === 1000 || (code >= 3000 && code < 5000), 4102],
];

test.each(senders)(
  "a WebSocket without the subprotocol is closed as a breach of the protocol, by %s",
  async (_, mayClose, code) => {
    const closed: unknown[] = [];
    // A browser accepts an answer without a subprotocol. The package ws cuts such a connection by itself.
    class Script extends EventTarget {
      binaryType = "";
      readonly protocol = "";
      readonly bufferedAmount = 0;
      constructor() {
        super();
        queueMicrotask(() => this.dispatchEvent(new Event("open")));
      }
      send(): void {}
      close(code: number, reason: string): void {
        if (!mayClose(code)) throw new DOMException("the code is not allowed", "InvalidAccessError");
        closed.push(code, reason);
      }
    }
    const error = await failure("ws://localhost/rpc", { WebSocket: Script as never, jitter: (bound) => bound });
    expect(error.code).toBe(Code.Unimplemented);
    expect(closed).toEqual([code, "the server does not speak parley.v1"]);
  },
);

test("the Retry-After of a refusal is kept, though a plain GET has another answer", async () => {
  const server = await Fake.http(
    (_, res) => res.writeHead(426, { "Parley-Versions": "parley.v1" }).end(),
    () => "HTTP/1.1 503 X\r\nRetry-After: 30\r\nConnection: close\r\n\r\n",
  );
  const error = await failure(server.url, { WebSocket });
  await server.stop();
  expect(error.message).toContain("HTTP status 503");
  expect(error.retryAfter).toBe(30_000);
});
