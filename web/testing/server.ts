import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "./until.js";

const program = join(import.meta.dirname, "../../.out/webserver");

/** A real server in its own process. */
export class Server {
  private constructor(
    private child: ChildProcess,
    /** HOST:PORT */
    readonly addr: string,
  ) {}

  static async start(...args: string[]): Promise<Server> {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const [addr] = (await Promise.race([
      once(lines, "line"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`the server has ended with ${code}`))),
    ])) as [string];
    return new Server(child, addr);
  }

  url(path = "/rpc"): string {
    return `ws://${this.addr}${path}`;
  }

  get port(): number {
    return Number(this.addr.split(":").at(-1));
  }

  /** Makes an HTTP request, even if the test environment replaces fetch. */
  async #request(method: string, path: string): Promise<string> {
    const req = request(`http://${this.addr}${path}`, { method, agent: false }).end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    let text = "";
    for await (const part of res) text += part;
    return text;
  }

  /** Returns the number of messages that handlers have sent on streams. */
  async sent(): Promise<number> {
    return Number(await this.#request("GET", "/sent"));
  }

  /** Returns the number of sessions, detached ones included. */
  async open(): Promise<number> {
    return Number(await this.#request("GET", "/open"));
  }

  /** Waits until that number is stable while calls are answered, and returns it. */
  async steady(call: () => Promise<unknown>): Promise<number> {
    let sent = 0;
    await until("the server stops", async () => {
      sent = await this.sent();
      for (let i = 0; i < 5; i++) await call();
      return sent === (await this.sent());
    });
    return sent;
  }

  /** Drains the server. Another one takes over. */
  async drain(): Promise<void> {
    await this.#request("POST", "/drain");
  }

  /** Ends the process: in order by closing its standard input, or with SIGKILL. */
  async stop(how: "in order" | "killed" = "in order"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode) return;
    const exit = once(this.child, "exit");
    if (how === "killed") this.child.kill("SIGKILL");
    else this.child.stdin?.end();
    await exit;
  }
}
