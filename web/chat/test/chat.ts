import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The chat's program, as the suites of vitest build it. */
const program = join(import.meta.dirname, "../../../.out/chat");

/** A server of the chat, as a process of its own. */
export class Chat {
  private constructor(
    private child: ChildProcess,
    /** Of the page. */
    readonly url: string,
  ) {}

  static async start(addr = "127.0.0.1:0"): Promise<Chat> {
    const child = spawn(program, ["server", "-addr", addr], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const url = /^open +(.*)/.exec(line)?.[1];
      if (url) return new Chat(child, url);
    }
    throw new Error("the server has ended");
  }

  /** HOST:PORT */
  get addr(): string {
    return new URL(this.url).host;
  }

  /** Ends it, by default as Ctrl-C does. */
  async stop(signal: "SIGINT" | "SIGKILL" = "SIGINT"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode) return;
    const exit = once(this.child, "exit");
    this.child.kill(signal);
    await exit;
  }
}
