import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A server that misbehaves, on a free port. */
export class Fake {
  private constructor(
    private http: Server,
    private sockets: WebSocketServer | undefined,
  ) {}

  /** Starts a server that answers all requests in the same way, upgrades included. */
  static async http(answer: RequestListener, upgrade?: (request: string) => string): Promise<Fake> {
    const http = createServer(answer);
    http.on("upgrade", (req, socket) => {
      socket.on("error", () => {});
      const answer = upgrade?.(req.headers["sec-websocket-key"] as string);
      socket.end(answer ?? "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", () => socket.destroy());
    });
    return new Fake(http, undefined).#listen();
  }

  /** Starts a server that accepts WebSockets, selects a subprotocol and passes them to serve. */
  static async webSocket(serve: (socket: WebSocket) => void, subprotocol: string | false = "parley.v1"): Promise<Fake> {
    const http = createServer((_, res) => res.writeHead(426).end());
    const sockets = new WebSocketServer({ server: http, handleProtocols: () => subprotocol });
    sockets.on("connection", (socket) => {
      socket.on("error", () => {});
      serve(socket);
    });
    return new Fake(http, sockets).#listen();
  }

  async #listen(): Promise<this> {
    this.http.listen(0, "127.0.0.1");
    await once(this.http, "listening");
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.http.address() as AddressInfo).port}/rpc`;
  }

  async stop(): Promise<void> {
    for (const s of this.sockets?.clients ?? []) s.terminate();
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, "close");
  }
}
