// The pages of the site, in the order of the sidebar. Each is a Markdown file of the repository.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "..");
export const github = "https://github.com/parley-rpc/parley";

const design = readdirSync(join(repository, "docs/design"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ source: `docs/design/${name}`, title: titleOf(`docs/design/${name}`) }));

/**
 * Wide pages have tables that need the room of the outline.
 * @type {{text: string, pages: {source: string, title: string, wide?: boolean}[]}[]}
 */
export const groups = [
  {
    text: "Start",
    pages: [
      { source: "README.md", title: "Parley in two minutes" },
      { source: "docs/start.md", title: "Your first service" },
      { source: "docs/guide.md", title: "Guide" },
      { source: "docs/codegen.md", title: "Generating code" },
    ],
  },
  {
    text: "Clients",
    pages: [
      { source: "docs/browser.md", title: "TypeScript and browsers" },
      { source: "docs/python.md", title: "Python" },
      { source: "docs/grpc.md", title: "Stubs of gRPC" },
      { source: "docs/connect.md", title: "HTTP: Connect and gRPC", wide: true },
      { source: "docs/cli.md", title: "Command line" },
    ],
  },
  {
    text: "In production",
    pages: [
      { source: "docs/deploy.md", title: "Deploying", wide: true },
      { source: "docs/cluster.md", title: "Several servers" },
      { source: "docs/gateway.md", title: "Gateway to gRPC" },
      { source: "docs/observability.md", title: "Observability" },
      { source: "docs/security.md", title: "Security", wide: true },
      { source: "docs/limits.md", title: "Limits", wide: true },
      { source: "docs/reliability.md", title: "Reliability", wide: true },
    ],
  },
  {
    text: "Speed",
    pages: [
      { source: "docs/benchmarks.md", title: "Benchmarks" },
      { source: "docs/benchmarks-wan.md", title: "Benchmarks across a distance", wide: true },
      { source: "docs/benchmarks-cluster.md", title: "Benchmarks of several servers", wide: true },
      { source: "docs/benchmarks-browser.md", title: "Benchmarks in a browser" },
      { source: "bench/README.md", title: "How it is measured" },
      { source: "bench/browser/README.md", title: "How browsers are measured" },
      { source: "web/size.md", title: "Size of a page" },
    ],
  },
  {
    text: "Protocol",
    pages: [
      { source: "docs/spec/PROTOCOL.md", title: "Specification" },
      { source: "docs/spec/vectors/README.md", title: "Test vectors" },
      { source: "docs/conformance.md", title: "Conformance kit", wide: true },
    ],
  },
  { text: "Design", pages: design },
];

/** Documentation of the APIs, which other sites show. */
export const apis = [
  ...[
    "rpc",
    "rpc/health",
    "rpc/reflection",
    "transport",
    "transport/ws",
    "ext/connect",
    "ext/grpc",
    "ext/grpc/proxy",
    "ext/otel",
  ].map((path) => ({ text: path, link: `https://pkg.go.dev/github.com/parley-rpc/parley/${path}` })),
  ...["client", "connect", "react"].map((name) => ({
    text: `@parley-rpc/${name}`,
    link: `https://www.npmjs.com/package/@parley-rpc/${name}`,
  })),
];

/** Returns where the page of a source is in the site: `guide.md` for `docs/guide.md`. */
export function pageOf(source) {
  if (source === "README.md") return "index.md";
  return source
    .replace(/^docs\//, "")
    .replace(/\/README\.md$/, "/index.md")
    .toLowerCase();
}

/** The text of a heading's anchor, as GitHub makes it. */
export function slug(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replace(/ /g, "-");
}

function titleOf(source) {
  const title = /^# (.*)$/m.exec(readFileSync(join(repository, source), "utf8"))?.[1] ?? source;
  const plain = title.replace(/^Design notes: /, "");
  return plain[0].toUpperCase() + plain.slice(1);
}
