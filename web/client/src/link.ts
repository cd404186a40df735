import { LOST, standardCode } from "./closecode.js";
import { Code } from "./code.js";
import { ParleyError } from "./error.js";
import type { Link } from "./events.js";
import { httpError, SUBPROTOCOL } from "./handshake.js";
import { base64Encode } from "./protobuf.js";
import { Timer } from "./timer.js";
import { cut, utf8 } from "./varint.js";

/** What is needed of a WebSocket: that of browsers, of Node.js 22, and of the packages ws and undici. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  // biome-ignore lint/suspicious/noExplicitAny: the types of events differ between the implementations
  addEventListener(type: any, listener: (event: any) => void): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** What the package ws has besides. */
interface NodeWebSocket {
  terminate?(): void;
  on?(
    event: "unexpected-response",
    f: (req: { destroy(): void }, res: { statusCode?: number; headers: Record<string, unknown> }) => void,
  ): void;
}

/** Nobody waits longer for the answer to a close frame, in milliseconds. */
const CLOSE_TIMEOUT = 1000;

/** A WebSocket that is open and speaks Parley. */
export class WebSocketLink implements Link {
  onData: (data: unknown) => void = () => {};
  onEnd: (code: number, reason: string) => void = () => {};
  #resolve!: () => void;
  #closing = new Timer();
  /** Settled when it is closed, or the other end had time enough to close it. */
  readonly done = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  readonly #socket: WebSocketLike & NodeWebSocket;

  constructor(socket: WebSocketLike & NodeWebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (e: { data: unknown }) => this.onData(e.data));
    // Where what came is no WebSocket, the link is lost, whatever the close that follows says.
    socket.addEventListener("error", (e: { message?: string }) => this.#end(LOST, e.message));
    socket.addEventListener("close", (e: { code?: number; reason?: string }) => {
      this.#closing.stop();
      this.#resolve();
      this.#end(standardCode(e.code ?? LOST), e.reason);
    });
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  #end(code: number, reason = ""): void {
    const end = this.onEnd;
    this.onData = this.onEnd = () => {};
    end(code, reason);
  }

  close(code?: number, reason?: string): void {
    this.onData = this.onEnd = () => {};
    closeSocket(this.#socket, code, reason);
    this.#closing.start(CLOSE_TIMEOUT, () => {
      this.#socket.terminate?.();
      this.#resolve();
    });
  }
}

/** Closes with the code, or with the one that stands for it where scripts may not send it. */
function closeSocket(socket: WebSocketLike, code?: number, reason = ""): void {
  const text = cut(reason, 123);
  if (code === undefined) return socket.close();
  try {
    socket.close(code, text);
  } catch {
    socket.close(code + 3100, text);
  }
}

export interface DialOptions {
  url: string;
  token: string | undefined;
  /** The link begins a session: a server that drains may refuse it, so that a proxy asks another one. */
  newSession: boolean;
  WebSocket: WebSocketConstructor;
  signal: AbortSignal;
}

/** Opens a WebSocket. Its errors are ParleyErrors: after one with another code than UNAVAILABLE there is no use in trying again. */
export function dial({ url, token, newSession, WebSocket, signal }: DialOptions): Promise<WebSocketLink> {
  return new Promise((resolve, reject) => {
    const protocols = [SUBPROTOCOL];
    if (token) protocols.push(`parley.bearer.${base64url(token)}`);
    if (newSession) protocols.push("parley.new");
    const socket: WebSocketLike & NodeWebSocket = new WebSocket(url, protocols);
    const fail = (error: ParleyError) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    };
    const abort = () => {
      closeSocket(socket);
      fail(signal.reason as ParleyError);
    };
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      signal.removeEventListener("abort", abort);
      if (socket.protocol === SUBPROTOCOL) return resolve(new WebSocketLink(socket));
      const error = new ParleyError(`the server does not speak ${SUBPROTOCOL}`, Code.Unimplemented);
      closeSocket(socket, 1002, error.rawMessage);
      fail(error);
    });
    const lost = ({ message }: { message?: string }) => {
      fail(new ParleyError(`could not connect${message ? `: ${message}` : ""}`, Code.Unavailable));
    };
    socket.addEventListener("error", lost);
    socket.addEventListener("close", lost); // not every WebSocket tells both
    socket.on?.("unexpected-response", (req, res) => {
      fail(httpError(res.statusCode ?? 0, (name) => String(res.headers[name] ?? "")));
      req.destroy();
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}

function base64url(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new ParleyError("the credential is not printable ASCII", Code.InvalidArgument);
  }
  return base64Encode(utf8(text), "url");
}
