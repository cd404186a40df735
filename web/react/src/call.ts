import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { type Call, type CallOptions, type Connection, ParleyError } from "@parley-rpc/client";
import { useEffect, useRef, useState } from "react";

/** What a component sees of its call. */
export interface CallState<T> {
  /** `off`: there is no call; `open`: it is under way; `ended`: it has ended well; `failed`: see `error`. */
  readonly state: "off" | "open" | "ended" | "failed";
  readonly error: ParleyError | undefined;
  /** The latest messages, as many as the option `keep` says, in order. */
  readonly messages: readonly T[];
  /** The latest of them. */
  readonly latest: T | undefined;
}

export interface HookOptions<T> extends Omit<CallOptions, "signal"> {
  /** In place of that of the ParleyProvider above. */
  connection?: Connection | undefined;
  /** How many messages are kept; 1 if not given. */
  keep?: number | undefined;
  /** Whether there is a call; true if not given. */
  enabled?: boolean | undefined;
  /** Called with each message, also with those that no render shows because the next came at once. */
  onMessage?: ((message: T) => void) | undefined;
}

const off = { state: "off", error: undefined, messages: [], latest: undefined } as const;

/**
 * Makes a call while the component is there, and cancels it afterwards. Another call is made when one of deps is another.
 * begin is told of each call.
 */
export function useCall<M extends DescMethod>(
  connection: Connection,
  method: M,
  options: HookOptions<MessageShape<M["output"]>>,
  begin: (call: Call<M>) => void,
  deps: readonly unknown[],
): CallState<MessageShape<M["output"]>> {
  type T = MessageShape<M["output"]>;
  const [shown, show] = useState<CallState<T>>(off);
  const latest = useRef({ options, begin });
  const { enabled = true } = options;

  useEffect(() => {
    latest.current = { options, begin };
  });

  useEffect(() => {
    if (!enabled) {
      show(off);
      return;
    }
    let here = true;
    const call = connection.call(method, latest.current.options);
    show({ ...off, state: "open" });
    latest.current.begin(call);
    void (async () => {
      try {
        for (;;) {
          const message = await call.next();
          if (!here || !message) break;
          const { onMessage, keep = 1 } = latest.current.options;
          onMessage?.(message);
          show((s) => ({ ...s, messages: [...s.messages, message].slice(-keep), latest: message }));
        }
        if (here) show((s) => ({ ...s, state: "ended" }));
      } catch (e) {
        call.cancel(e);
        if (here) show((s) => ({ ...s, state: "failed", error: ParleyError.from(e) }));
      }
    })();
    return () => {
      here = false;
      call.cancel();
    };
  }, [connection, method, enabled, ...deps]);

  return shown;
}
