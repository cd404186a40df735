import { build } from "./build.js";

/** Builds the Go servers that only the tests in a browser need. */
export default function buildServers(): void {
  build("examples/chat/servers");
}
