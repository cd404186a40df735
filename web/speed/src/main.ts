import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import type { EngineName } from "../../testing/engines/index.js";
import { startBrowser, titles } from "./browser.js";
import { type Options, parse } from "./options.js";
import { report } from "./report.js";
import type { Results } from "./results.js";
import { Run } from "./run.js";
import { type Hello, Server } from "./server.js";
import { buildSite } from "./site.js";

/** The root of the repository. This file runs in web/speed/dist. */
const repository = join(import.meta.dirname, "../../..");

try {
  const options = parse(process.argv.slice(2));
  const results = options.from ? (JSON.parse(await readFile(options.from, "utf8")) as Results) : await measure(options);
  if (options.out) await write(options.out, results);
} catch (e) {
  console.error(`speed: ${(e as Error).message}`);
  process.exitCode = 1;
}

async function measure(options: Options): Promise<Results> {
  const site = await buildSite(repository, !options.profile);
  const server = await Server.start(repository, site);
  const results: Results = {
    cpu: cpus()[0]?.model ?? "",
    cores: cpus().length,
    kernel: `Linux ${release().replace(/-.*/, "")}`,
    versions: {},
    command: options.command,
    seconds: options.measureMs / 1000,
    engines: {},
    refusals: {},
    copied: {},
  };
  try {
    for (const name of options.engines) await measureIn(name, options, server.hello, results);
    Object.assign(results.versions, await versions(server.hello));
    return results;
  } finally {
    await server.stop();
  }
}

async function measureIn(name: EngineName, options: Options, { Plain, TLS }: Hello, results: Results): Promise<void> {
  const browser = await startBrowser(name);
  try {
    const run = await Run.open(options, async (lane) => {
      const tab = await browser.open(`${lane.tls ? TLS : Plain}/`);
      await tab.evaluate("import('/page.js').then(() => {})"); // settled when the page has run
      return tab;
    });
    results.versions[titles[name]] = await browser.version();
    if (name === options.engines[0]) {
      results.refusals = await run.refusals();
      results.copied = await run.copied();
    }
    const share = name === "chromium" ? 1 / 2 : 1 / 4;
    results.engines[name] = await run.rounds(name, options.limitMs * share, console.log);
  } finally {
    await browser.close();
  }
}

async function versions({ Go, Connect }: Hello): Promise<Record<string, string>> {
  const { devDependencies: packages } = JSON.parse(await readFile(join(repository, "web/package.json"), "utf8"));
  const names = ["@connectrpc/connect-web", "@connectrpc/connect", "@bufbuild/protobuf"];
  return {
    Go: Go.replace(/^go/, ""),
    "connect-go": Connect,
    ...Object.fromEntries(names.map((name) => [name, packages[name]])),
  };
}

async function write(folder: string, results: Results): Promise<void> {
  await mkdir(join(folder, "benchmarks"), { recursive: true });
  await writeFile(join(folder, "benchmarks/browser.json"), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(join(folder, "benchmarks-browser.md"), report(results));
}
