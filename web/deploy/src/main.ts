// The clients of `make deploy` that run in Node.js. tests/deploy starts this program with a variable of the environment that
// says what to do. It prints a line when all its connections are there, works until its input ends, and prints its report.

import { once } from "node:events";
import { Code, createClient, createConnection, retryPolicy } from "@parley-rpc/client";
import { WebSocket } from "ws";
import { NoteService } from "../../gen/deploy/v1/deploy_pb.js";
import { Book } from "./book.js";
import { Caller } from "./caller.js";
import { service } from "./service.js";

const config = JSON.parse(process.env.PARLEY_DEPLOY_CLIENT as string) as {
  URLs: string[];
  Balancer: "pickFirst" | "roundRobin";
  Process: number;
  Conns: number;
  PaceMS: number;
  Count: number;
};
const book = new Book();
const stop = new AbortController();
const retry = retryPolicy({
  maxAttempts: 8,
  codes: [Code.Unavailable],
  initialBackoffMs: 20,
  maxBackoffMs: 500,
  budget: { tokens: 1000, ratio: 1 },
});
let id = BigInt(config.Process) << 40n;

const conns = Array.from({ length: config.Conns }, (_, n) => {
  class WithCookie extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { headers: { Cookie: `sid=node-${config.Process}-${n}` } });
    }
  }
  // Each client has another order, so that every server has some clients.
  const first = n % config.URLs.length;
  const urls = [...config.URLs.slice(first), ...config.URLs.slice(0, first)];
  const conn = createConnection(urls, { balancer: config.Balancer, WebSocket: WithCookie, retry });
  conn.serve(NoteService, service(book));
  return conn;
});
await Promise.all(conns.map((conn) => conn.connect()));
console.log("ready");

for (const conn of conns) {
  let since = 0;
  conn.subscribe((state) => {
    if (state === "ready" && since) book.without(Date.now() - since);
    since = state === "ready" ? 0 : since || Date.now();
  });
}
const working = conns.map((conn) =>
  new Caller(createClient(NoteService, conn), book, () => ++id, config.PaceMS, config.Count, stop.signal).work(),
);
process.stdin.resume();
await once(process.stdin, "end");
stop.abort();
await Promise.all(working);
console.log(JSON.stringify(book.report));
await Promise.all(conns.map((conn) => conn.close()));
process.exit();
