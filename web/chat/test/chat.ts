import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../../testing/until.js";

/** The chat's programs, as the suites of vitest build them. */
const program = (name: string) => join(import.meta.dirname, "../../../.out", name);

/** A site of the chat, of one server or several, as a process of its own. */
export class Chat {
  /** The process of each server, if there are several. */
  readonly servers = new Map<string, number>();
  /** Of the page. */
  url = "";

  private constructor(private child: ChildProcess) {}

  static start(addr = "127.0.0.1:0"): Promise<Chat> {
    return Chat.#run("chat", "server", "-addr", addr);
  }

  /** Starts several servers behind nginx. */
  static startServers(nodes: number): Promise<Chat> {
    return Chat.#run("servers", "-addr", "127.0.0.1:0", "-nodes", `${nodes}`);
  }

  static #run(name: string, ...args: string[]): Promise<Chat> {
    const child = spawn(program(name), args, { stdio: ["ignore", "pipe", "inherit"] });
    const chat = new Chat(child);
    return new Promise((resolve, reject) => {
      child.once("exit", () => reject(new Error("the server has ended")));
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        chat.#read(line);
        if (chat.url) resolve(chat);
      });
    });
  }

  #read(line: string): void {
    const [, url] = /^open +(.*)/.exec(line) ?? [];
    if (url) this.url = url;
    const [, server, pid] = /^(.*) is process (\d+)$/.exec(line) ?? [];
    if (server) this.servers.set(server, Number(pid));
  }

  /** Kills a server, and returns a promise of its restart. */
  async kill(server: string): Promise<void> {
    const pid = this.servers.get(server) as number;
    process.kill(pid, "SIGKILL");
    await until(`${server} is back`, () => this.servers.get(server) !== pid, 30_000);
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
