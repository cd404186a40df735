// What docs/browser.md shows is run here.
//snippet:connect
import { createClient } from "@connectrpc/connect";
import { createParleyTransport } from "@parley-rpc/connect";
//snippet:end
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { Server } from "../../testing/server.js";

test("a transport takes the place of another", async () => {
  const server = await Server.start();
  vi.stubGlobal("WebSocket", WebSocket);
  const url = server.url();
  //snippet:transport
  const transport = createParleyTransport({ url });
  const ping = createClient(PingService, transport);
  //snippet:end
  expect((await ping.ping({ text: "hi" })).text).toBe("hi");
  await transport.connection.close();
  vi.unstubAllGlobals();
  await server.stop();
});
