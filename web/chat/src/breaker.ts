import type { ConnectionOptions } from "@parley-rpc/client";

/**
 * How long the page stays disconnected after it has broken its link, in milliseconds. The user can see it and write meanwhile.
 */
export const OFFLINE_MS = 3000;

/** Lets the user break the connection's link. */
export class Breaker {
  #socket: WebSocket | undefined;
  #reconnectAllowed = Promise.resolve();

  /** The options that give access to the link and delay the next dial. */
  readonly options: ConnectionOptions;

  constructor() {
    const made = (socket: WebSocket) => {
      this.#socket = socket;
    };
    this.options = {
      WebSocket: class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols);
          made(this);
        }
      },
      // Called before each WebSocket is opened.
      credentials: () => this.#reconnectAllowed as Promise<undefined>,
    };
  }

  /**
   * Closes the WebSocket without a code. The browser drops what arrives and what is sent afterwards. For both ends of the
   * session, the link is lost (PROTOCOL.md, section 12.3).
   */
  cut(): void {
    this.#reconnectAllowed = new Promise((resolve) => setTimeout(resolve, OFFLINE_MS));
    this.#socket?.close();
  }
}
