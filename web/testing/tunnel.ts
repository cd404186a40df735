import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Forwards TCP connections and can break them. */
export class Tunnel {
  #server: Server;
  #sockets = new Set<Socket>();
  /** The number of connections so far. */
  connections = 0;
  /** The number of open connections. */
  open = 0;
  /** The number of connections so far that asked for a WebSocket. */
  webSockets = 0;
  /** The number of bytes forwarded to clients. */
  down = 0;
  /** The number of bytes forwarded to the server. */
  up = 0;
  /** Whether to drop all bytes in both directions. */
  blackhole = false;
  /** Whether to close new connections at once. */
  refusing = false;

  private constructor(private target: number) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#forward(client));
  }

  static async start(target: number): Promise<Tunnel> {
    const proxy = new Tunnel(target);
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

  /** Forwards nothing any more on the connections that are open, and closes none. */
  silence(): void {
    for (const s of this.#sockets) s.pause();
  }

  /** Closes all connections abruptly. */
  cut(): void {
    for (const s of this.#sockets) s.destroy();
    this.#sockets.clear();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #forward(client: Socket): void {
    if (this.refusing) {
      client.destroy();
      return;
    }
    this.connections++;
    this.open++;
    client.on("close", () => this.open--);
    client.once("data", (request) => {
      if (/^upgrade: websocket/im.test(request.toString("latin1"))) this.webSockets++;
    });
    const server = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("end", () => to.end()); // each direction ends by itself: what is on its way in the other one arrives
      from.on("data", (bytes) => {
        if (this.blackhole) return;
        if (from === server) this.down += bytes.length;
        else this.up += bytes.length;
        if (!to.write(bytes)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
    }
  }
}
