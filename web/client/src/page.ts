/** What a connection does when the page that it is in changes. */
export interface PageEvents {
  /** Somebody looks at the page again, or the network is back: what seems alive may be dead. */
  wake(): void;
  /** The page is put away. It is kept only if no WebSocket is open. */
  hide(): void;
  /** It is back. */
  show(): void;
  /** The page goes for good. What is not sent now never is. */
  unload(): void;
}

interface Target {
  addEventListener?: (type: string, listener: (e: Event) => void) => void;
  removeEventListener?: (type: string, listener: (e: Event) => void) => void;
}

/** Listens to the page, or the worker, if there is one. It returns what ends that. */
export function watchPage(on: PageEvents): () => void {
  const scope = globalThis as Target & { document?: Document };
  const { document } = scope;
  const listeners: [Target | undefined, string, (e: Event) => void][] = [
    [document, "visibilitychange", () => document?.visibilityState === "visible" && on.wake()],
    [scope, "online", on.wake],
    [scope, "pagehide", (e) => ((e as PageTransitionEvent).persisted ? on.hide() : on.unload())],
    [scope, "pageshow", (e) => (e as PageTransitionEvent).persisted && on.show()],
  ];
  for (const [target, type, listener] of listeners) target?.addEventListener?.(type, listener);
  return () => {
    for (const [target, type, listener] of listeners) target?.removeEventListener?.(type, listener);
  };
}
