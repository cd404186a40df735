import type { Connection } from "@parley-rpc/client";
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from "react";

const Context = createContext<Connection | undefined>(undefined);

/** Provides a connection to the hooks below it. It does not close the connection. */
export function ParleyProvider(props: { connection: Connection; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: props.connection }, props.children);
}

/** Returns the given connection, or that of the ParleyProvider. */
export function useConnection(given?: Connection): Connection {
  const provided = useContext(Context);
  const connection = given ?? provided;
  if (!connection) throw new Error("no connection: wrap the component in a ParleyProvider, or pass a connection");
  return connection;
}
