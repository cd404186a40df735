import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Server } from "../../testing/server.js";

let server: Server;
let folder: string;
beforeAll(async () => {
  server = await Server.start();
  folder = await mkdtemp(fileURLToPath(new URL("../../node_modules/.exit-", import.meta.url)));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

// A process of Node.js ends when nothing is left: no timer, no socket.
test("closed connections leave nothing running", async () => {
  const entry = fileURLToPath(new URL("./exit.ts", import.meta.url));
  const outfile = join(folder, "exit.mjs");
  await build({ entryPoints: [entry], outfile, bundle: true, format: "esm", platform: "node", logLevel: "error" });
  const child = spawn(process.execPath, ["--experimental-websocket", "--no-warnings", outfile, server.url()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (text) => {
    said += text;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const [code] = await once(child, "exit");
  clearTimeout(timer);
  expect(said).toBe("hi\n3\nunimplemented\n");
  expect(code).toBe(0);
});
