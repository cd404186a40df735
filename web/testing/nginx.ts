import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { until } from "./until.js";

/** Whether nginx forwards the request for a WebSocket with Upgrade, as docs/deploy.md says, or as it does by default. */
export type Forwarding = "with Upgrade" | "without Upgrade";

/** A real nginx before a server, in its own process. */
export class Nginx {
  private constructor(
    private child: ChildProcess,
    private folder: string,
    private target: number,
    private port: number,
  ) {}

  static async start(target: number, forwarding: Forwarding): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), "parley-nginx-"));
    const port = await freePort();
    await writeFile(join(folder, "nginx.conf"), config(folder, port, target, forwarding));
    const child = spawn(program(), ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const nginx = new Nginx(child, folder, target, port);
    await until("nginx answers", () => answers(port));
    return nginx;
  }

  /** HOST:PORT */
  get addr(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Makes nginx use another configuration. What it forwards goes on. */
  async reload(forwarding: Forwarding): Promise<void> {
    await writeFile(join(this.folder, "nginx.conf"), config(this.folder, this.port, this.target, forwarding));
    this.child.kill("SIGHUP");
  }

  async stop(): Promise<void> {
    const exit = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await exit;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Debian has nginx in a folder that is not in the path of users. */
function program(): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const folder of folders) {
    try {
      accessSync(join(folder, "nginx"), constants.X_OK);
      return join(folder, "nginx");
    } catch {
      // It is not there.
    }
  }
  throw new Error("nginx is missing: make e2e installs it");
}

const config = (folder: string, port: number, target: number, forwarding: Forwarding) => `
daemon off;
pid ${folder}/nginx.pid;
worker_processes 1;
events { worker_connections 256; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((t) => `${t}_temp_path ${folder}/${t};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      ${forwarding === "with Upgrade" ? 'proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection "upgrade";' : ""}
    }
  }
}
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const req = request({ host: "127.0.0.1", port, path: "/open", agent: false }, (res) => {
      res.resume();
      resolve(true);
    });
    req.on("error", () => resolve(false));
    req.end();
  });
