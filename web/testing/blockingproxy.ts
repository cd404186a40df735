import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";

/**
 * What a proxy does with the request for a WebSocket: it answers with an HTTP status, forwards the request without Upgrade, does
 * not answer, opens the WebSocket and carries nothing, or forwards it.
 */
export type Upgrades = number | "stripped" | "hanging" | "mute" | "forwarded";

/** An HTTP proxy that forwards requests to a port, and WebSockets or not. */
export class BlockingProxy {
  #server: Server;
  #sockets = new Set<Duplex>();
  /** The number of requests for WebSockets so far. */
  webSockets = 0;
  /** The paths of the other requests so far. */
  paths: string[] = [];
  /** Whether to close the connections of requests instead of forwarding them. */
  down = false;

  private constructor(
    private target: number,
    public upgrades: Upgrades,
  ) {
    this.#server = createServer((req, res) => this.#forward(req, res, req.headers));
    this.#server.on("connection", (socket) => this.#keep(socket));
    this.#server.on("upgrade", (req, socket, head) => this.#upgrade(req, socket, head));
  }

  static async start(target: number, upgrades: Upgrades): Promise<BlockingProxy> {
    const proxy = new BlockingProxy(target, upgrades);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** HOST:PORT */
  get addr(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  url(path = "/rpc"): string {
    return `ws://${this.addr}${path}`;
  }

  /** Closes all connections abruptly. */
  cut(): void {
    for (const s of this.#sockets) s.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #forward(req: IncomingMessage, res: ServerResponse, headers: IncomingMessage["headers"]): void {
    this.paths.push(req.url ?? "");
    if (this.down) return void req.socket.destroy();
    const onward = request({ port: this.target, host: "127.0.0.1", method: req.method, path: req.url, headers, agent: false });
    onward.on("error", () => res.destroy());
    onward.on("response", (answer) => {
      res.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
      answer.on("error", () => res.destroy());
      answer.pipe(res);
    });
    res.on("close", () => onward.destroy());
    req.pipe(onward);
  }

  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.webSockets++;
    const { upgrades } = this;
    if (this.down) return void socket.destroy();
    if (upgrades === "hanging") return;
    if (typeof upgrades === "number") {
      socket.end(`HTTP/1.1 ${upgrades} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const stripped = upgrades === "stripped";
    const onward = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    this.#keep(onward);
    const lines: string[] = [`${req.method} ${req.url} HTTP/1.1`];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      const name = req.rawHeaders[i] as string;
      if (!stripped || !/^(upgrade|connection)$/i.test(name)) lines.push(`${name}: ${req.rawHeaders[i + 1]}`);
    }
    if (stripped) lines.push("Connection: close");
    onward.write(`${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    onward.on("error", () => socket.destroy());
    onward.on("end", () => socket.end());
    socket.on("close", () => onward.destroy());
    if (upgrades === "mute") onward.once("data", (answer: Buffer) => socket.write(answer));
    else onward.pipe(socket);
    if (upgrades !== "mute") socket.pipe(onward);
  }
}
