import type { State } from "@parley-rpc/client";

/** How it stands, for those who look at the page. */
export interface Words {
  readonly tone: "good" | "busy" | "bad";
  /** A few words. */
  readonly badge: string;
  /** What it means; empty if there is nothing to say. */
  readonly more: string;
}

/** What is known. */
export interface Situation {
  readonly state: State;
  /** Whether the last attempt to connect has failed, or the connection was lost. */
  readonly failed: boolean;
  readonly online: boolean;
  /** Whether the server has let the member in. */
  readonly inside: boolean;
  /** Whether the member was in the room before, and waits until the server notices that its last call is lost. */
  readonly nameTaken: boolean;
}

/** What becomes of what is typed, while there is something to say. */
export const KEPT = "What you write is kept, and goes out as soon as you are back.";

/** Says in words how it stands. */
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
