import { defineConfig } from "vitepress";
import { apis, github, groups, pageOf, slug } from "../pages.js";

const sidebar = [
  ...groups.map(({ text, pages }) => ({
    text,
    items: pages.map(({ source, title }) => ({ text: title, link: `/${pageOf(source)}` })),
  })),
  { text: "API", collapsed: true, items: apis },
];

/** Lets long names break between their words, for the columns of tables: TestThatALink<wbr>IsLost. */
function breakable(html) {
  return html.replace(/[A-Za-z][A-Za-z0-9.]{19,}/g, (name) => name.replace(/(?<=[a-z0-9])(?=[A-Z.])/g, "<wbr>"));
}

const base = process.env.SITE_BASE ?? "/";

export default defineConfig({
  title: "Parley",
  description: "An RPC framework for Go and TypeScript that runs over one WebSocket",
  lang: "en",
  base,
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `${base}logo.svg` }]],
  srcDir: ".staged",
  outDir: "../.out/site",
  cleanUrls: false,
  lastUpdated: false,
  markdown: {
    anchor: { slugify: slug },
    // Shiki has no grammars for these. As INI the remarks of hex dumps look like remarks.
    languageAlias: { hex: "ini", caddyfile: "nginx", haproxy: "nginx" },
    config: (md) => {
      const { code_inline: code, text } = md.renderer.rules;
      md.renderer.rules.code_inline = (...args) => breakable(code(...args));
      md.renderer.rules.text = (...args) => breakable(text(...args));
    },
  },
  themeConfig: {
    logo: "/logo.svg",
    nav: [
      { text: "Guide", link: "/guide" },
      { text: "Protocol", link: "/spec/protocol" },
      { text: "Benchmarks", link: "/benchmarks" },
      { text: "API", items: apis },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: github }],
    editLink: {
      pattern: ({ frontmatter }) => `https://github.com/parley-rpc/parley/blob/main/${frontmatter.source}`,
      text: "This page on GitHub",
    },
    footer: { message: "Apache License 2.0" },
  },
});
