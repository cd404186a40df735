import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { WebSocket } from "ws";
import { Chromium, type ChromiumTab as Tab } from "../chromium.js";
import { measure } from "./measure.js";
import type { Answer, Line, Order } from "./order.js";
import { type Far, far as over } from "./transfer.js";

/** Measures what the argument orders. The program of bench/wan starts it, and talks with it in lines of JSON. */
const order = JSON.parse(process.argv[2] ?? "{}") as Order;
/** Where calls prepare for those that count. A server of parley refuses a page from another origin: it has the path's. */
const near = order.runtime === "chromium" && order.target === "parley" ? order.url : order.near;
const input = createInterface({ input: process.stdin });
const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`);

process.stdin.on("end", () => process.exit(1)); // the other program has ended

async function received(): Promise<number> {
  const answer = once(input, "line");
  say({ Ask: "received" });
  const [line] = (await answer) as [string];
  return (JSON.parse(line) as Answer).Received;
}

try {
  if (order.runtime === "node") await all(`Node.js ${process.versions.node}`, async () => over(order.url, WebSocket));
  else await inChromium();
} catch (e) {
  console.error(`wan: ${(e as Error).message}`);
  process.exitCode = 1;
}
input.close();
process.stdin.destroy();

/** Measures all workloads, each with functions of its own. */
async function all(runtime: string, open: () => Promise<Far>): Promise<void> {
  const about = { Version: `${await version()} in ${runtime}`.trim() };
  for (const workload of order.workloads) {
    try {
      const far = await open();
      await far.prepare(order.target, near);
      if (near === order.url) await setTimeout(2 * order.roundTripMs + 100); // nothing of that is on the path any more
      say({ ...about, Workload: workload, Figures: await measure(order, workload, far, received) });
    } catch (e) {
      say({ ...about, Workload: workload, Error: String(e) });
    }
  }
}

/** Returns the version of the library, or of this tree. */
async function version(): Promise<string> {
  if (order.target === "parley") return "as in this repository,";
  const manifest = new URL("../../../package.json", import.meta.url); // from speed/dist/wan
  const { devDependencies: packages } = JSON.parse(await readFile(manifest, "utf8"));
  return packages[`@connectrpc/${order.target}`];
}

async function inChromium(): Promise<void> {
  const browser = await Chromium.start(undefined, "--disable-web-security"); // it prepares with calls to another origin
  try {
    await all(`Chromium ${await browser.version()}`, async () => {
      const tab = await browser.open(`${order.url}/`); // with connections of its own
      await tab.evaluate("import('/page.js')");
      return inPage(tab);
    });
  } finally {
    await browser.close();
  }
}

/** Returns the functions of a page. */
function inPage(tab: Tab): Far {
  const call =
    (name: string) =>
    (...args: unknown[]) =>
      tab.evaluate(`far.${name}(${args.map((a) => JSON.stringify(a)).join()})`);
  return new Proxy({} as Far, { get: (_, name) => (name === "then" ? undefined : call(String(name))) });
}
