import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { groups, pageOf, repository, slug } from "../pages.js";
import { linkOf, outsideCode } from "../stage.js";

test("every document is a page", () => {
  const sources = new Set(groups.flatMap(({ pages }) => pages.map(({ source }) => source)));
  const documents = readdirSync(join(repository, "docs"), { recursive: true })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.replaceAll("\\", "/")}`);
  assert.deepEqual(
    documents.filter((name) => !sources.has(name)),
    [],
  );
});

test("links lead to pages of the site, or to files on GitHub", () => {
  assert.equal(linkOf("README.md", "docs/guide.md"), "./guide.md");
  assert.equal(linkOf("docs/guide.md", "../README.md"), "./index.md");
  assert.equal(linkOf("docs/spec/PROTOCOL.md", "vectors/README.md"), "./vectors/index.md");
  assert.equal(linkOf("docs/spec/vectors/README.md", "../PROTOCOL.md#5-hello"), "../protocol.md#5-hello");
  assert.equal(linkOf("docs/guide.md", "#calls"), "#calls");
  assert.equal(linkOf("docs/guide.md", "https://example.com/a.md"), "https://example.com/a.md");
  assert.equal(linkOf("docs/guide.md", "../examples"), "https://github.com/parley-rpc/parley/tree/main/examples");
  assert.equal(linkOf("docs/guide.md", "../go.mod"), "https://github.com/parley-rpc/parley/blob/main/go.mod");
  assert.throws(() => linkOf("docs/guide.md", "nothing.md"), /does not exist/);
});

test("code is left as it is", () => {
  const text = "a `b` c\n```sh\na\n```\na\n";
  assert.equal(
    outsideCode(text, (part) => part.replaceAll("a", "x")),
    "x `b` c\n```sh\na\n```\nx\n",
  );
});

test("pages and anchors have the names that links use", () => {
  assert.equal(pageOf("docs/spec/PROTOCOL.md"), "spec/protocol.md");
  assert.equal(pageOf("bench/README.md"), "bench/index.md");
  assert.equal(slug("8.3 When a link is lost"), "83-when-a-link-is-lost");
  assert.equal(slug("`rpc.Follow`, again"), "rpcfollow-again");
});
