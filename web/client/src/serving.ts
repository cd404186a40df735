import type { DescService } from "@bufbuild/protobuf";
import { Connection } from "./connection.js";
import type { ConnectionOptions } from "./options.js";
import { type Implementation, Services, type ServicesOptions } from "./service.js";
import type { Stream } from "./stream.js";

export type ServingOptions = ConnectionOptions & ServicesOptions;

/** A connection on which both ends call. */
export class ServingConnection extends Connection {
  #services: Services;

  constructor(urls: string | URL | readonly (string | URL)[], options: ServingOptions = {}) {
    super(urls, options);
    this.#services = new Services(this, options);
  }

  /** Has calls of the server to a service answered. A service that is served twice is served by the latest. */
  serve<S extends DescService>(service: S, implementation: Implementation<S>): void {
    this.#services.add(service, implementation);
  }

  /** @internal */
  override accept(stream: Stream, header: Uint8Array): void {
    this.#services.accept(stream, header);
  }
}

/**
 * Makes a connection to a URL, or to several of servers that serve the same: ws, wss, http, https, or relative to the page. It connects with the first call, and can serve
 * calls of the server. A page that serves none is a little smaller with `new Connection(url)`.
 */
export const createConnection = (urls: string | URL | readonly (string | URL)[], options?: ServingOptions): ServingConnection =>
  new ServingConnection(urls, options);
