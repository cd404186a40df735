import type { State } from "@parley-rpc/client";

/** The connection's state in words. */
export interface Words {
  readonly tone: "good" | "busy" | "bad";
  /** A few words. */
  readonly badge: string;
  /** The explanation; empty if there is none. */
  readonly more: string;
}

/** What the words depend on. */
export interface Situation {
  readonly state: State;
  /** Whether the last attempt to connect has failed, or the link was lost. */
  readonly failed: boolean;
  readonly online: boolean;
  /** Whether the server has accepted the member. */
  readonly inside: boolean;
  /** Whether the name is still taken by the member's own lost call. */
  readonly nameTaken: boolean;
}

/** What happens to unsent lines, shown with an explanation. */
export const KEPT = "What you write is kept, and goes out as soon as you are back.";

/** Returns the words for a situation. */
export function words({ state, failed, online, inside, nameTaken }: Situation): Words {
  if (state === "ready" && inside) return { tone: "good", badge: "Connected", more: "" };
  if (state === "ready" && nameTaken) {
    return { tone: "busy", badge: "Coming back", more: "The server still has your last visit. It forgets it soon." };
  }
  if (state === "ready") return { tone: "busy", badge: "Entering", more: "" };
  if (!online) return { tone: "bad", badge: "Offline", more: "This device has no network." };
  if (state === "resuming") {
    return { tone: "busy", badge: "Link lost, resuming", more: "The link broke. Another is on its way." };
  }
  if (state === "failed") {
    return {
      tone: "bad",
      badge: "Not connected",
      more: "The server cannot be reached. The page keeps trying.",
    };
  }
  if (state === "connecting") {
    return { tone: "busy", badge: "Connecting", more: failed ? "The server is away." : "" };
  }
  return { tone: "bad", badge: "Not connected", more: "" };
}
