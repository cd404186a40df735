import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** Creates an empty page and the modules that it imports. It returns their folder. */
export async function buildSite(repository: string, minify: boolean): Promise<string> {
  const folder = join(repository, ".out/speed");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "index.html"), "<!doctype html><title>speed</title>\n");
  await build({
    entryPoints: [join(repository, "web/speed/src/page.ts")],
    outfile: join(folder, "page.js"),
    bundle: true,
    minify,
    format: "esm",
    target: "es2022",
    logLevel: "error",
  });
  return folder;
}
