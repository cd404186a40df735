import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";

const web = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "parley-install-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const npm = (cwd: string, ...args: string[]) =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Packs a folder and returns the name of the file. */
const pack = (from: string) => `./${npm(folder, "pack", "--silent", join(web, from)).trim()}`;

test("a bundle with the package has one copy of protobuf-es (docs/browser.md)", async () => {
  npm(web, "exec", "--offline", "--", "tsc", "-p", "client/tsconfig.build.json");
  writeFileSync(join(folder, "package.json"), "{}");
  // It uses the installed packages, so that the test needs no registry.
  npm(folder, "install", "--offline", "--no-audit", "--no-fund", pack("client"), pack("node_modules/@bufbuild/protobuf"));
  writeFileSync(
    join(folder, "page.js"),
    `export { createConnection } from "@parley-rpc/client"; export { create, toBinary, fromBinary } from "@bufbuild/protobuf";`,
  );
  const { metafile } = await build({
    entryPoints: [join(folder, "page.js")],
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    logLevel: "error",
  });
  const copies = new Set(Object.keys(metafile.inputs).map((f) => /^.*node_modules\/@bufbuild\/protobuf\//.exec(f)?.[0]));
  copies.delete(undefined);
  expect([...copies]).toEqual(["node_modules/@bufbuild/protobuf/"]);
  expect(Object.keys(metafile.inputs)).toContain("node_modules/@parley-rpc/client/dist/index.js");
}, 240_000);
