import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What the Go server reports about itself. */
export interface Hello {
  Plain: string;
  TLS: string;
  Go: string;
  Connect: string;
}

/** The Go server that all libraries call, in its own process. */
export class Server {
  private constructor(
    private child: ChildProcess,
    readonly hello: Hello,
  ) {}

  /** Builds and starts the server. It also serves the files of a folder. */
  static async start(repository: string, site?: string): Promise<Server> {
    const program = `${repository}/.out/bench-browser`;
    execFileSync("go", ["build", "-C", "bench", "-o", program, "./browser"], { cwd: repository, stdio: "inherit" });
    const child = spawn(program, site ? ["-site", site] : [], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([
      once(lines, "line"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`the server has ended with ${code}`))),
    ])) as [string];
    return new Server(child, JSON.parse(line) as Hello);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode) return;
    const exit = once(this.child, "exit");
    this.child.stdin?.end();
    await exit;
  }
}
