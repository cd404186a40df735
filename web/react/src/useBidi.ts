import type { DescMessage, DescMethodBiDiStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Call, Code, ParleyError } from "@parley-rpc/client";
import { useEffect, useState } from "react";
import { type CallState, type HookOptions, useCall } from "./call.js";
import { useConnection } from "./provider.js";

export type BidiOptions<T> = HookOptions<T>;

/** A bidirectional call. */
export interface Bidi<I, T> extends CallState<T> {
  /**
   * Sends a message. It waits while the server is slow, and fails when the call is over. The function is stable across renders.
   */
  readonly send: (message: I) => Promise<void>;
  /** Ends the request messages. */
  readonly end: () => void;
}

/** Makes a bidirectional call that ends when the component unmounts. */
export function useBidi<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  options: BidiOptions<MessageShape<O>> = {},
): Bidi<MessageInitShape<I>, MessageShape<O>> {
  const connection = useConnection(options.connection);
  const { enabled = true } = options;
  const [uplink] = useState(() => new Uplink<DescMethodBiDiStreaming<I, O>>());
  useEffect(() => {
    uplink.enabled = enabled;
  }, [uplink, enabled]);
  const start = () => uplink.start(connection.call(method, options));
  const state = useCall(start, options, [connection, method]);
  return { ...state, send: uplink.send, end: uplink.end };
}

/** Sends messages to the latest call of a component. */
class Uplink<M extends DescMethodBiDiStreaming> {
  enabled = true;
  #call: Call<M> | undefined;
  #resolveFirst!: (call: Call<M>) => void;
  /** Effects of children run before the effect that makes the first call. */
  #first = new Promise<Call<M>>((resolve) => {
    this.#resolveFirst = resolve;
  });

  start(call: Call<M>): Call<M> {
    this.#call = call;
    this.#resolveFirst(call);
    return call;
  }

  send = async (message: MessageInitShape<M["input"]>): Promise<void> => {
    if (!this.enabled) throw new ParleyError("no call: the option enabled is false", Code.FailedPrecondition);
    await (this.#call ?? (await this.#first)).send(message);
  };

  end = (): void => {
    if (this.#call) this.#call.end();
    else if (this.enabled) void this.#first.then((call) => call.end());
  };
}
