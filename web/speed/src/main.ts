import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { Chromium } from "./chromium.js";
import type { Lane } from "./lane.js";
import { type Options, parse } from "./options.js";
import { report } from "./report.js";
import type { Results } from "./results.js";
import { run } from "./run.js";
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
  try {
    const browser = await Chromium.start();
    try {
      const open = async (lane: Lane) => {
        const tab = await browser.open(`${lane.tls ? server.hello.TLS : server.hello.Plain}/`);
        await tab.send("Performance.enable", { timeDomain: "threadTicks" });
        if (options.profile) await tab.send("Profiler.enable");
        await tab.evaluate("import('/page.js')"); // settled when the page has run
        return tab;
      };
      return {
        cpu: cpus()[0]?.model ?? "",
        cores: cpus().length,
        kernel: `Linux ${release().replace(/-.*/, "")}`,
        versions: await versions(await browser.version(), server.hello),
        command: options.command,
        seconds: options.measureMs / 1000,
        ...(await run(options, open, console.log)),
      };
    } finally {
      await browser.close();
    }
  } finally {
    await server.stop();
  }
}

async function versions(chromium: string, { Go, Connect }: Hello): Promise<Record<string, string>> {
  const { devDependencies: packages } = JSON.parse(await readFile(join(repository, "web/package.json"), "utf8"));
  const names = ["@connectrpc/connect-web", "@connectrpc/connect", "@bufbuild/protobuf"];
  return {
    Chromium: chromium,
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
