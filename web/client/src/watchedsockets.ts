import { LOST } from "./closecode.js";
import type { DialedLink } from "./events.js";
import type { WebSocketConstructor } from "./link.js";
import { Timer } from "./timer.js";

/** Creates a WebSocket, and watches whether it carries anything. */
export class WatchedSockets {
  /** Whether the WebSocket was opened. */
  opened = false;
  /** What creates it. */
  readonly create: WebSocketConstructor;
  /** Whether it was reported that the WebSocket carries something, or nothing. */
  #reported = false;
  #timer = new Timer();

  readonly #silent: () => void;

  /** Calls heard at the first message of the server, or silent if the WebSocket is lost after it was opened, without any. */
  constructor(WebSocket: WebSocketConstructor, heard: () => void, silent: () => void) {
    this.#silent = silent;
    const watch = (url: string, protocols: string[]) => {
      const socket = new WebSocket(url, protocols);
      socket.addEventListener("open", () => {
        this.opened = true;
      });
      socket.addEventListener("message", () => this.#report(heard));
      socket.addEventListener("close", ({ code }: { code?: number }) => {
        this.#report(this.opened && code === LOST ? silent : () => {});
      });
      return socket;
    };
    // What a constructor returns is the result of new.
    this.create = function create(url: string, protocols: string[]) {
      return watch(url, protocols);
    } as unknown as WebSocketConstructor;
  }

  #report(what: () => void): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#timer.stop();
    what();
  }

  /** Gives the link up unless the server sends something within ms. It returns the link. */
  expect(link: DialedLink, ms: number): DialedLink {
    this.#timer.start(ms, () => {
      const { onEnd } = link;
      this.#report(this.#silent);
      link.close();
      onEnd(LOST, "the WebSocket carries nothing");
    });
    if (this.#reported) this.#timer.stop();
    return link;
  }
}
