import type { DescMessage, DescMethodServerStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type CallState, type HookOptions, useCall } from "./call.js";
import { useConnection } from "./provider.js";
import { useRequest } from "./stable.js";

export type StreamOptions<T> = HookOptions<T>;

/**
 * Makes a server-streaming call while the component is mounted, and returns its responses. Another request, if it is not equal,
 * makes another call.
 */
export function useStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: StreamOptions<MessageShape<O>> = {},
): CallState<MessageShape<O>> {
  const connection = useConnection(options.connection);
  const stable = useRequest(method.input, request);
  const start = () => {
    const call = connection.call(method, options);
    void call.send(stable, true).catch(() => {}); // next fails too
    return call;
  };
  return useCall(start, options, [connection, method, stable]);
}
