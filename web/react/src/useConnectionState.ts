import type { Connection, State } from "@parley-rpc/client";
import { useCallback, useSyncExternalStore } from "react";
import { useConnection } from "./provider.js";

/** Returns the connection's state, and renders again when it changes. `connection.error` explains a failure. */
export function useConnectionState(given?: Connection): State {
  const connection = useConnection(given);
  const subscribe = useCallback((changed: () => void) => connection.subscribe(changed), [connection]);
  return useSyncExternalStore(
    subscribe,
    () => connection.state,
    () => "idle",
  );
}
