import type { DescMessage, DescMethodBiDiStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Call, Code, ParleyError } from "@parley-rpc/client";
import { useCallback, useRef } from "react";
import { type CallState, type HookOptions, useCall } from "./call.js";
import { useConnection } from "./provider.js";

export type BidiOptions<T> = HookOptions<T>;

/** A call with messages both ways. */
export interface Bidi<I, T> extends CallState<T> {
  /** Sends a message. It waits while the server is slow, and fails when the call is over. It is the same for each render. */
  readonly send: (message: I) => Promise<void>;
  /** Says that there are no more messages. */
  readonly end: () => void;
}

/** Makes a bidirectional call, which ends with the component. */
export function useBidi<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  options: BidiOptions<MessageShape<O>> = {},
): Bidi<MessageInitShape<I>, MessageShape<O>> {
  const connection = useConnection(options.connection);
  const call = useRef<Call<DescMethodBiDiStreaming<I, O>>>(undefined);
  const state = useCall(
    connection,
    method,
    options,
    (begun) => {
      call.current = begun;
    },
    [],
  );
  const send = useCallback(async (message: MessageInitShape<I>) => {
    if (!call.current) throw new ParleyError("there is no call yet", Code.FailedPrecondition);
    await call.current.send(message);
  }, []);
  const end = useCallback(() => call.current?.end(), []);
  return { ...state, send, end };
}
