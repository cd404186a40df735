import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineName, START_TIMEOUT } from "./engine.js";

/** Returns the path of a program, if it can be run: that in an environment variable, or the first one of Debian's. */
export function findProgram(engine: EngineName, variable: string, ...paths: string[]): string {
  const given = process.env[variable];
  const candidates = given ? [given] : paths;
  const path = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (path) return path;
  throw new Error(
    `${engine}: there is no program ${candidates.join(" or ")}: run make ${engine}, or set ${variable} to its path`,
  );
}

/** A new folder, for a profile and the like. It is removed with what is in it. */
export class TemporaryFolder {
  readonly path = mkdtempSync(join(tmpdir(), "parley-engine-"));

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** A program and all processes that it starts: they are one process group. */
export class Program {
  #said = "";
  #exit: Promise<unknown>;
  #killNow = () => this.#signal("SIGKILL");

  private constructor(
    private child: ChildProcess,
    private name: string,
  ) {
    child.stderr?.on("data", (text) => {
      this.#said = (this.#said + text).slice(-1000);
    });
    this.#exit = once(child, "exit").catch(() => {});
    process.once("exit", this.#killNow);
  }

  /**
   * Starts a program. Its file descriptor 3 is a pipe that the program may write to. The kernel ends the program if this
   * process is killed.
   */
  static start(path: string, args: string[], env: NodeJS.ProcessEnv): Program {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", path, ...args], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env,
      detached: true,
    });
    child.on("error", () => {}); // ready reports it
    return new Program(child, path);
  }

  /** Waits until the program is ready. Fails if it ends before, or takes too long. */
  async ready<T>(is: Promise<T>): Promise<T> {
    let late: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        is,
        this.#exit.then(() => Promise.reject(new Error(`${this.name} has ended, and said: ${this.#said}`))),
        new Promise<never>((_, reject) => {
          late = setTimeout(() => reject(new Error(`${this.name} was not ready in time`)), START_TIMEOUT);
        }),
      ]);
    } finally {
      clearTimeout(late);
    }
  }

  /** Returns the first line that the program writes to file descriptor 3. */
  async line(): Promise<string> {
    let text = "";
    for await (const part of this.child.stdio[3] as AsyncIterable<Buffer>) {
      text += part;
      if (text.includes("\n")) break;
    }
    return text.trim();
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined;
  }

  /** Ends the program and its group, and waits until it has ended. */
  async stop(): Promise<void> {
    if (!this.ended) this.#signal("SIGTERM");
    const late = setTimeout(this.#killNow, 5000);
    await this.#exit;
    clearTimeout(late);
    this.#signal("SIGKILL"); // what it has left behind
    process.off("exit", this.#killNow);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // The group has no process any more.
    }
  }
}
