import type { DescMessage, DescMethodServerStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type FollowOptions, follow, Responses } from "@parley-rpc/client";
import { useEffect, useRef } from "react";
import { type FollowState, type HookOptions, useFollowedCall } from "./call.js";
import { useConnection } from "./provider.js";
import { useRequest } from "./stable.js";

/** The options of a call, and those of `follow` that control when the stream is opened again. */
export interface UseFollowOptions<I extends DescMessage, T, C>
  extends HookOptions<T>,
    Pick<FollowOptions<T, C>, "from" | "cursor" | "codes" | "complete" | "backoff" | "jitter"> {
  /** Creates the request for a cursor. */
  request: (cursor: C) => MessageInitShape<I>;
}

/**
 * Follows a server stream while the component is mounted. It opens the stream again, at the cursor of the last message,
 * whenever the stream ends before it is complete. If the request for the first cursor changes, it starts again.
 */
export function useFollow<I extends DescMessage, O extends DescMessage, C>(
  method: DescMethodServerStreaming<I, O>,
  options: UseFollowOptions<I, MessageShape<O>, C>,
): FollowState<MessageShape<O>> {
  type T = MessageShape<O>;
  const connection = useConnection(options.connection);
  const request = useRequest(method.input, options.request(options.from));
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  return useFollowedCall<T>(
    (tell) => {
      const open = (cursor: C, { signal }: { signal: AbortSignal }) => {
        tell("open");
        return new Responses<T>(() => {
          const call = connection.call(method, { ...latest.current, signal });
          void call.send(latest.current.request(cursor), true).catch(() => {}); // next fails too
          return call;
        });
      };
      const messages = follow<T, C>({
        ...options,
        open,
        cursor: (message) => latest.current.cursor(message),
        onWait: (error) => tell("waiting", error),
      })[Symbol.asyncIterator]();
      return {
        next: async () => (await messages.next()).value as T | undefined,
        cancel: () => void messages.return?.(),
      };
    },
    options,
    [connection, method, request],
  );
}
