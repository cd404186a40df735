import { type AddressInfo, createServer as listen } from "node:net";
import { join } from "node:path";
import { createServer, loadConfigFromFile, mergeConfig, type ViteDevServer } from "vite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Engine, Page } from "../testing/engines/index.js";
import { Server } from "../testing/server.js";
import { until } from "../testing/until.js";
import base from "../vitest.config.js";
import { startBrowser } from "./browser.js";

// A page of Vite's dev server, whose configuration is the one in docs/browser.md.

const root = join(import.meta.dirname, "vite");

let browser: Engine;
let server: Server;
let vite: ViteDevServer;
let page: Page;

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());
afterEach(async () => {
  await page.close();
  await vite.close();
  await server.stop();
  expect(page.errors).toEqual([]);
});

/** Starts the servers and opens a page of Vite. */
async function start(...flags: string[]): Promise<void> {
  server = await Server.start(...flags);
  const file = await loadConfigFromFile({ command: "serve", mode: "development" }, join(root, "vite.config.ts"));
  const here = {
    root,
    configFile: false,
    logLevel: "error",
    cacheDir: join(import.meta.dirname, "../../.out/vite"),
    resolve: base.resolve ?? {},
    server: {
      host: "127.0.0.1",
      port: await freePort(),
      fs: { allow: [join(import.meta.dirname, "../..")] },
      proxy: { "/rpc": { target: `http://${server.addr}` } },
    },
  };
  vite = await createServer(mergeConfig(file?.config ?? {}, here));
  await vite.listen();
  page = await browser.open(vite.resolvedUrls?.local[0] ?? "");
  await until("the page has its modules", () => page.evaluate(() => "kit" in globalThis));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = listen().listen(0, "127.0.0.1", () => {
      const { port } = socket.address() as AddressInfo;
      socket.close(() => resolve(port));
    });
  });
}

/** Makes a call to a URL. */
const ping = (url: string) =>
  page.evaluate(async (url) => {
    const { createClient, createConnection, ParleyError, PingService } = kit;
    const connection = createConnection(url);
    try {
      return (await createClient(PingService, connection).ping({ text: "hi" })).text;
    } catch (e) {
      return `${connection.state}: ${ParleyError.from(e).message}`;
    } finally {
      await connection.close();
    }
  }, url);

test("calls pass the dev server's proxy beside its own WebSocket", async () => {
  await start();
  expect(await ping("/rpc")).toBe("hi");
});

test("a page of another origin is told that it is refused, and which origin that is", async () => {
  await start();
  const origin = await page.evaluate(() => location.origin);
  expect(await ping(server.url())).toBe(
    `failed: permission_denied: the server refuses pages of ${origin}: allow this origin at the server`,
  );
});

test("a page of another origin that the server allows calls it without a proxy", async () => {
  await start("-origin", "http://127.0.0.1:*");
  expect(await ping(server.url())).toBe("hi");
});
