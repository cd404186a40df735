import type { ConnectionOptions } from "@parley-rpc/client";

/** How long a page stays away after it has broken its link, in milliseconds: so that one can see it, and write meanwhile. */
export const OFFLINE_MS = 3000;

/** Lets a page break the link of its connection. */
export class Breaker {
  #socket: WebSocket | undefined;
  #reconnectAllowed = Promise.resolve();

  /** The connection's options by which the link is known, and dialing waits. */
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
      // It is asked for before each WebSocket is opened.
      credentials: () => this.#reconnectAllowed as Promise<undefined>,
    };
  }

  /**
   * Closes the WebSocket without a code. The browser drops what arrives from now on and what is sent, and to both ends of
   * the session that is a lost link (PROTOCOL.md, section 12.3).
   */
  cut(): void {
    this.#reconnectAllowed = new Promise((resolve) => setTimeout(resolve, OFFLINE_MS));
    this.#socket?.close();
  }
}
