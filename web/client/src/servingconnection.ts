import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Call, CallOptions } from "./call.js";
import { Connection } from "./connection.js";
import { ParleyError } from "./error.js";
import { InterceptedCall } from "./interceptedcall.js";
import type { Interceptor } from "./interceptor.js";
import type { ConnectionOptions } from "./options.js";
import { type Implementation, Services, type ServicesOptions } from "./service.js";
import * as Code from "./statuscodes.js";
import type { Stream } from "./stream.js";

export interface ServingOptions extends ConnectionOptions, ServicesOptions {
  /** Interceptors of calls that this end makes. The first one is outermost. */
  callInterceptors?: readonly Interceptor[] | undefined;
}

/** A connection on which both ends make calls, with interceptors. */
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

  /** Also fails if this end serves calls and the state is `fallback`, where the server cannot call it. */
  override async connect(): Promise<void> {
    await super.connect();
    if (this.state !== "fallback" || !this.#services.any) return;
    throw new ParleyError(`the server cannot call this end: ${this.error?.rawMessage}`, Code.Unimplemented);
  }

  /** Serves calls of the server to a service. It replaces an earlier implementation of the same service. */
  serve<S extends DescService>(service: S, implementation: Implementation<S>): void {
    this.#services.add(service, implementation);
  }

  /** @internal */
  override accept(stream: Stream, header: Uint8Array): void {
    this.#services.accept(stream, header);
  }
}

/**
 * Creates a connection to a URL, or to the URLs of several equivalent servers. A URL starts with ws, wss, http or https, or is
 * relative to the page. The connection connects at the first call and can serve calls of the server. A page that serves none
 * and needs no interceptors is smaller with `new Connection(url)`.
 */
export const createConnection = (urls: string | URL | readonly (string | URL)[], options?: ServingOptions): ServingConnection =>
  new ServingConnection(urls, options);
