import type { Connection } from "@parley-rpc/client";
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from "react";

const Context = createContext<Connection | undefined>(undefined);

/** Has the hooks below it use a connection. Whoever has made the connection closes it. */
export function ParleyProvider(props: { connection: Connection; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: props.connection }, props.children);
}

/** Returns the connection that is given, or that of the ParleyProvider above. */
export function useConnection(given?: Connection): Connection {
  const provided = useContext(Context);
  const connection = given ?? provided;
  if (!connection) throw new Error("there is no connection: a ParleyProvider has to be above this component, or one be given");
  return connection;
}
