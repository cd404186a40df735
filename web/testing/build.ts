import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The repository. */
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds the Go server that the tests talk to. */
export default function build(): void {
  execFileSync("go", ["build", "-o", ".out/webserver", "./tests/webserver"], { cwd: root, stdio: "inherit" });
}
