import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds a Go server into .out/. */
export function build(server: string): void {
  execFileSync("go", ["build", "-o", ".out/", `./${server}`], { cwd: root, stdio: "inherit" });
}

/** Builds the Go servers for the tests. */
export default function buildServers(): void {
  for (const server of ["tests/webserver", "examples/chat"]) build(server);
}
