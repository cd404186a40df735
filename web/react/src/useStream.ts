import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  equals,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { useState } from "react";
import { type CallState, type HookOptions, useCall } from "./call.js";
import { useConnection } from "./provider.js";

export type StreamOptions<T> = HookOptions<T>;

/**
 * Makes a server-streaming call and shows what it is answered. Another request, one that is not equal, makes another call;
 * without the component there is none.
 */
export function useStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: StreamOptions<MessageShape<O>> = {},
): CallState<MessageShape<O>> {
  const connection = useConnection(options.connection);
  const asked = useStable(method.input, request);
  return useCall(connection, method, options, (call) => void call.send(asked, true).catch(() => {}), [asked]);
}

/** Returns the same message as before if the new one is equal. */
function useStable<I extends DescMessage>(schema: I, init: MessageInitShape<I>): MessageShape<I> {
  const message = create(schema, init);
  const [stable, setStable] = useState(message);
  if (equals(schema, stable, message)) return stable;
  setStable(message);
  return message;
}
