// A program that has to end by itself: exit.test.ts runs it with the URL of a server.

import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { codeName, createClient, createConnection, type ParleyError } from "../src/index.js";

const conn = createConnection(process.argv[2] as string);
const ping = createClient(PingService, conn);
console.log((await ping.ping({ text: "hi" })).text);
for await (const { number } of ping.countUp({ to: 1000n })) {
  if (number === 3n) {
    console.log(`${number}`);
    break;
  }
}
void ping.ping({ delayMs: 60_000 }, { timeoutMs: 60_000, signal: new AbortController().signal }).catch(() => {});
const refused = createConnection(`${process.argv[2]?.replace("/rpc", "/nothing")}`);
await createClient(PingService, refused)
  .ping({})
  .catch((e: ParleyError) => console.log(codeName(e.code)));
await Promise.all([conn.close(), refused.close()]);
