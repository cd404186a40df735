// Puts the Markdown of the repository, and the pictures in it, into .staged/, from which VitePress builds the site.
// Links between pages become links of the site; links to other files of the repository lead to GitHub.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { github, groups, pageOf, repository } from "./pages.js";

const staged = join(import.meta.dirname, ".staged");
const pages = new Map(groups.flatMap((group) => group.pages.map((page) => [page.source, page])));
const sources = [...pages.keys()];
const home = readFileSync(join(import.meta.dirname, "home.md"), "utf8");

/** Returns the link of the site for a link in a source. */
export function linkOf(source, link, isPage = (path) => sources.includes(path)) {
  if (/^[a-z]+:/.test(link) || link.startsWith("#")) return link;
  const [path, anchor] = link.split("#");
  const target = posix.join(posix.dirname(source), path);
  const hash = anchor === undefined ? "" : `#${anchor}`;
  const readme = posix.join(target, "README.md");
  for (const page of [target, readme]) {
    if (isPage(page)) return relative(source, pageOf(page)) + hash;
  }
  const file = join(repository, target);
  if (!existsSync(file)) throw new Error(`${source} links to ${link}, which does not exist`);
  const kind = statSync(file).isDirectory() ? "tree" : "blob";
  return `${github}/${kind}/main/${posix.normalize(target).replace(/\/$/, "")}${hash}`;
}

/** Returns a text outside of fenced blocks and code spans as change makes it. */
export function outsideCode(text, change) {
  return text
    .split(/(^```[^\n]*\n[\s\S]*?^```$|`[^`\n]+`)/m)
    .map((part, i) => (i % 2 ? part : change(part)))
    .join("");
}

function relative(source, page) {
  const path = posix.relative(posix.dirname(pageOf(source)), page);
  return path.startsWith(".") ? path : `./${path}`;
}

/** Returns the Markdown of a page of the site. */
function pageText(source) {
  // Only the end of a link is matched: its text may contain code, which is another part.
  const links = (part) =>
    part
      .replace(/(!?)\]\(([^)\s]+)\)/g, (_, mark, link) => `${mark}](${linkOf(source, link)})`)
      .replace(/^(\[[^\]]+\]: )(\S+)$/gm, (_, name, link) => name + linkOf(source, link));
  const pictures = [];
  const keep = (path) => {
    const name = posix.join("pictures", posix.join(posix.dirname(source), path));
    pictures.push([posix.join(posix.dirname(source), path), name]);
    return `/${name}`;
  };
  const text = outsideCode(readFileSync(join(repository, source), "utf8"), (part) =>
    links(
      part
        .replace(/!\[([^\]]*)\]\(([^)]+)\)/g, (_, alt, path) => `<img src="${keep(path)}" alt="${alt}">`)
        .replace(/<picture>[\s\S]*?<\/picture>/g, (picture) => themed(picture, keep)),
    ),
  );
  for (const [from, name] of pictures) {
    mkdirSync(join(staged, "public", dirname(name)), { recursive: true });
    cpSync(join(repository, from), join(staged, "public", name));
  }
  const wide = pages.get(source).wide ? "aside: false\npageClass: wide\n" : "";
  if (source !== "README.md") return `---\nsource: ${source}\n${wide}---\n\n${text}`;
  return home + text.slice(text.indexOf("\n\n", text.indexOf("\n\n") + 1)); // home.md has the title and the first paragraph
}

/** A <picture> goes by what the system prefers, the site by what its reader has chosen. */
function themed(picture, keep) {
  const dark = /srcset="([^"]+)"/.exec(picture)[1];
  const [, light] = /src="([^"]+)"/.exec(picture);
  const alt = /alt="([^"]*)"/.exec(picture)?.[1] ?? "";
  const img = (path, when) => `<img class="only-${when}" src="${keep(path)}" alt="${alt}">`;
  return img(light, "light") + img(dark, "dark");
}

function stage() {
  rmSync(staged, { recursive: true, force: true });
  cpSync(join(import.meta.dirname, "public"), join(staged, "public"), { recursive: true });
  for (const source of sources) {
    const file = join(staged, pageOf(source));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pageText(source));
  }
}

if (process.argv[1] === import.meta.filename) stage();
