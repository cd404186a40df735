import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds the Go servers for the tests. */
export default function build(): void {
  for (const server of ["tests/webserver", "examples/chat"]) {
    execFileSync("go", ["build", "-o", ".out/", `./${server}`], { cwd: root, stdio: "inherit" });
  }
}
