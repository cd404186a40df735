import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const KIB = 1024;

/** The pages to measure, as imports. Modules of protobuf-es and React are left out. */
const pages = [
  ["calls: `@parley-rpc/client`", `export { Connection, createClient, Code, ParleyError } from "./client/src/index.ts"`],
  [
    "calls of both ends: `@parley-rpc/client`",
    `export { createConnection, createClient, Code, ParleyError } from "./client/src/index.ts"`,
  ],
  [
    "calls with the fallback: `@parley-rpc/client/fallback`, `@parley-rpc/client`",
    `export { Connection, createClient, Code, ParleyError } from "./client/src/index.ts"; export { fetchFallback } from "./client/src/fallback.ts"`,
  ],
  [
    "calls by Connect's client: `@parley-rpc/connect`, `@parley-rpc/client`, `@connectrpc/connect`",
    `export { createParleyTransport } from "./connect/src/index.ts"; export { createClient, Code, ConnectError } from "@connectrpc/connect"`,
  ],
  [
    "React hooks: `@parley-rpc/react`, `@parley-rpc/client`",
    `export * from "./react/src/index.ts"; export { Connection } from "./client/src/index.ts"`,
  ],
  [
    "for comparison, unary and server streaming only: `@connectrpc/connect-web`, `@connectrpc/connect`",
    `export { createConnectTransport } from "@connectrpc/connect-web"; export { createClient, Code, ConnectError } from "@connectrpc/connect"`,
  ],
] as const;

async function measure(contents: string): Promise<{ minified: number; gzip: number }> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: new URL("../..", import.meta.url).pathname },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["@bufbuild/*", "react"],
    tsconfigRaw: { compilerOptions: { paths: { "@parley-rpc/client": ["./client/src/index.ts"] } } },
    logLevel: "error",
  });
  const code = (outputFiles[0] as { contents: Uint8Array }).contents;
  return { minified: code.length, gzip: gzipSync(code, { level: 9 }).length };
}

// web/size.md is the output of this test. `npm run size` updates it.
test("the client has at most 16 KiB, and web/size.md says how much", async () => {
  const rows: string[] = [];
  const sizes: number[] = [];
  for (const [what, contents] of pages) {
    const { minified, gzip } = await measure(contents);
    sizes.push(gzip);
    rows.push(`| ${what} | ${(minified / KIB).toFixed(1)} | ${(gzip / KIB).toFixed(1)} |`);
  }
  const table = `# What a page loads

KiB, bundled and minified by esbuild, and compressed by gzip, without protobuf-es and React. \`npm test\` measures and compares,
\`npm run size\` updates this file.

| what | minified | and compressed |
|---|---|---|
${rows.join("\n")}
`;
  console.log(table);
  await expect(table).toMatchFileSnapshot("../../size.md");
  expect(sizes[0]).toBeLessThanOrEqual(16 * KIB);
});
