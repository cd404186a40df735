import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import { Connection } from "./connection.js";
import { InterceptedCall } from "./interceptedcall.js";
import type { Interceptor } from "./interceptor.js";
import type { ConnectionOptions } from "./options.js";
import { type Implementation, Services, type ServicesOptions } from "./service.js";
import type { Stream } from "./stream.js";

export interface ServingOptions extends ConnectionOptions, ServicesOptions {
  /** Around calls that this end makes. The first is outermost. */
  callInterceptors?: readonly Interceptor[] | undefined;
}

/** A connection on which both ends call, with interceptors. */
export class ServingConnection extends Connection {
  #services: Services;
  #interceptors: readonly Interceptor[];

  constructor(urls: string | URL | readonly (string | URL)[], options: ServingOptions = {}) {
    super(urls, options);
    this.#services = new Services(this, options);
    this.#interceptors = options.callInterceptors ?? [];
  }

  override call<M extends DescMethod>(method: M, options: CallOptions = {}): Call<M> {
    if (!this.#interceptors.length) return super.call(method, options);
    return new InterceptedCall(this, method, options, this.#interceptors);
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
 * Makes a connection to a URL, or to several of servers that serve the same: ws, wss, http, https, or relative to the page.
 * It connects with the first call, and can serve calls of the server. A page that serves none, and has no interceptors, is a
 * little smaller with `new Connection(url)`.
 */
export const createConnection = (urls: string | URL | readonly (string | URL)[], options?: ServingOptions): ServingConnection =>
  new ServingConnection(urls, options);
