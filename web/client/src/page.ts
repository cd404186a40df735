/** What a connection does when its page changes. */
export interface PageEvents {
  /** The page is visible again or the network is back. A link that seems alive may be dead. */
  wake(): void;
  /** The browser suspends the page. It does so only while no WebSocket is open. */
  hide(): void;
  /** The page resumes. */
  show(): void;
  /** The page is being unloaded. What is not sent now is never sent. */
  unload(): void;
}

interface Target {
  addEventListener?: (type: string, listener: (e: Event) => void, options: { signal: AbortSignal }) => void;
}

/** Watches the page or worker, if there is one, until the signal aborts. */
export function watchPage(on: PageEvents, signal: AbortSignal): void {
  const scope = globalThis as Target & { document?: Document };
  const { document } = scope;
  const listeners: [Target | undefined, string, (e: Event) => void][] = [
    [document, "visibilitychange", () => document!.visibilityState === "visible" && on.wake()],
    [scope, "online", on.wake],
    [scope, "pagehide", (e) => ((e as PageTransitionEvent).persisted ? on.hide() : on.unload())],
    [scope, "pageshow", (e) => (e as PageTransitionEvent).persisted && on.show()],
  ];
  for (const [target, type, listener] of listeners) target?.addEventListener?.(type, listener, { signal });
}
