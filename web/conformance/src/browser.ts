// The TypeScript client under the conformance kit, in a page of a browser engine, which the argument names. The lines of
// standard input go to the page, and what the page reports goes to standard output.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type WebSocket, WebSocketServer } from "ws";
import { chosenEngines } from "../../testing/engines/chosen.js";
import { startEngine } from "../../testing/engines/index.js";

const [name = "chromium"] = chosenEngines(process.argv[2]);
const script = await readFile(join(import.meta.dirname, "page.js"));
const http = createServer((req, res) => {
  if (req.url === "/page.js") res.setHeader("Content-Type", "text/javascript").end(script);
  else if (req.url === "/")
    res
      .setHeader("Content-Type", "text/html")
      .end(`<!doctype html><title>parley-ts-${name}</title><script type="module" src="/page.js"></script>`);
  else res.writeHead(404).end();
});
http.listen(0, "127.0.0.1");
await once(http, "listening");
const relay = new Promise<WebSocket>((resolve) =>
  new WebSocketServer({ server: http, path: "/relay" }).once("connection", (socket) => {
    socket.on("message", (line) => process.stdout.write(`${line}\n`));
    resolve(socket);
  }),
);

const engine = await startEngine(name);
try {
  const page = await engine.open(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`);
  const socket = await relay;
  for await (const line of createInterface({ input: process.stdin })) socket.send(line);
  if (page.errors.length) console.error(`the page has thrown: ${page.errors.join("\n")}`);
} finally {
  await engine.close();
}
process.exit();
