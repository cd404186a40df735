import { buildPages } from "../e2e/browser.js";
import buildServers, { build } from "./build.js";

/** Builds the Go servers and the pages for the tests in browsers. */
export default async function buildAll(): Promise<void> {
  buildServers();
  build("examples/chat/servers");
  await buildPages();
}
