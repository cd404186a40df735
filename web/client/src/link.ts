import { LOST, standardCode } from "./closecode.js";
import { ParleyError } from "./error.js";
import type { DialedLink } from "./events.js";
import { httpError, SUBPROTOCOL } from "./handshake.js";
import { CLOSE_TIMEOUT } from "./limits.js";
import { base64Encode } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { Timer } from "./timer.js";
import { cut, utf8 } from "./varint.js";

/** The part of a WebSocket that the client uses. Browsers, Node.js 22 and the packages ws and undici provide it. */
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

/** What the package ws provides in addition. */
interface NodeWebSocket {
  terminate?(): void;
  on?(
    event: "unexpected-response",
    f: (req: { destroy(): void }, res: { statusCode?: number; headers: Record<string, unknown> }) => void,
  ): void;
}

/** An open WebSocket that speaks Parley. */
export class WebSocketLink implements DialedLink {
  onData: (data: unknown) => void = () => {};
  onEnd: (code: number, reason: string) => void = () => {};
  #resolve!: () => void;
  #closing = new Timer();
  readonly done = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  readonly #socket: WebSocketLike & NodeWebSocket;

  constructor(socket: WebSocketLike & NodeWebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (e: { data: unknown }) => this.onData(e.data));
    // An error means that the bytes were not valid WebSocket frames. The link is lost, whatever close code follows.
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

/** Closes with the code, or with its substitute where scripts may not send the code. */
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
  /** The link starts a session. A draining server may refuse it, so that a proxy tries another server. */
  newSession: boolean;
  WebSocket: WebSocketConstructor;
  connectTimeoutMs: number;
  /** Aborts the attempt. It does not abort once the attempt has ended. */
  signal: AbortSignal;
}

/**
 * Opens a WebSocket. It fails with a ParleyError. Unless its code is UNAVAILABLE, another attempt does not help. The signal is
 * that of this attempt: it is not aborted later.
 */
export function dial({ url, token, newSession, WebSocket, signal }: DialOptions): Promise<WebSocketLink> {
  return new Promise((resolve, reject) => {
    const protocols = [SUBPROTOCOL];
    if (token) protocols.push(`parley.bearer.${base64url(token)}`);
    if (newSession) protocols.push("parley.new");
    const socket: WebSocketLike & NodeWebSocket = new WebSocket(url, protocols);
    const abort = () => {
      closeSocket(socket);
      reject(signal.reason as ParleyError);
    };
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      if (socket.protocol === SUBPROTOCOL) return resolve(new WebSocketLink(socket));
      const error = new ParleyError(`the server does not speak ${SUBPROTOCOL}`, Code.Unimplemented);
      closeSocket(socket, 1002, error.rawMessage);
      reject(error);
    });
    const lost = ({ message }: { message?: string }) => {
      reject(new ParleyError(`could not connect${message ? `: ${message}` : ""}`, Code.Unavailable));
    };
    socket.addEventListener("error", lost);
    socket.addEventListener("close", lost); // some WebSockets report only one of the two
    socket.on?.("unexpected-response", (req, res) => {
      reject(httpError(res.statusCode ?? 0, (name) => String(res.headers[name] ?? "")));
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
