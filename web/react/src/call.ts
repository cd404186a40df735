import { type CallOptions, type Connection, ParleyError } from "@parley-rpc/client";
import { useEffect, useRef, useState } from "react";
import { useKey } from "./stable.js";

/** The state of a component's call. */
export interface CallState<T> {
  /** `off`: no call; `open`: in progress; `ended`: ended with OK; `failed`: see `error`. */
  readonly state: "off" | "open" | "ended" | "failed";
  readonly error: ParleyError | undefined;
  /** The latest messages in order. The option `keep` limits their number. */
  readonly messages: readonly T[];
  /** The latest message. */
  readonly latest: T | undefined;
}

export interface HookOptions<T> extends Omit<CallOptions, "signal"> {
  /** Replaces the connection of the ParleyProvider. */
  connection?: Connection | undefined;
  /** The number of messages to keep: default 1; 0 keeps none. */
  keep?: number | undefined;
  /** Whether to make the call; default true. */
  enabled?: boolean | undefined;
  /** Called with each message, even if the next message arrives before it is rendered. */
  onMessage?: ((message: T) => void) | undefined;
}

/** The state of a followed stream. */
export interface FollowState<T> extends Omit<CallState<T>, "state"> {
  /** As for a call. `waiting`: the stream has ended and will be opened again, see `error`. */
  readonly state: CallState<T>["state"] | "waiting";
}

/** Reports the progress of a followed stream. */
export type Report = (state: "open" | "waiting", error?: ParleyError) => void;

/** A source of messages for a hook. */
export interface Source<T> {
  next(): Promise<T | undefined>;
  cancel(reason?: unknown): void;
}

/** The progress of a call. */
interface Progress<T> {
  /** The dependencies of the call. */
  readonly key: readonly unknown[];
  readonly state: "open" | "waiting" | "ended" | "failed";
  readonly error: ParleyError | undefined;
  readonly messages: readonly T[];
}

const none: readonly never[] = [];

/**
 * Makes a call while the component is mounted, and cancels it afterwards. Other deps make another call. The render with new
 * deps shows only the new call.
 */
export function useCall<T>(start: () => Source<T>, options: HookOptions<T>, deps: readonly unknown[]): CallState<T> {
  return useFollowedCall(start, options, deps) as CallState<T>;
}

/** Like `useCall`, for a source that may wait between streams. */
export function useFollowedCall<T>(
  start: (tell: Report) => Source<T>,
  options: HookOptions<T>,
  deps: readonly unknown[],
): FollowState<T> {
  const { enabled = true, keep = 1, onMessage } = options;
  const key = useKey([enabled, ...deps]);
  const [progress, setProgress] = useState<Progress<T>>();
  const latest = useRef({ start, keep, onMessage });

  useEffect(() => {
    latest.current = { start, keep, onMessage };
  });

  useEffect(() => {
    if (!enabled) return;
    let mounted = true;
    const initial: Progress<T> = { key, state: "open", error: undefined, messages: none };
    const update = (change: (p: Progress<T>) => Progress<T>) =>
      mounted && setProgress((p) => change(p?.key === key ? p : initial));
    const call = latest.current.start((state, error) => update((p) => ({ ...p, state, error })));
    void (async () => {
      try {
        for (;;) {
          const message = await call.next();
          if (!mounted || !message) break;
          const { onMessage, keep } = latest.current;
          onMessage?.(message);
          if (lastOf([message], keep).length) update((p) => ({ ...p, messages: lastOf([...p.messages, message], keep) }));
        }
        update((p) => ({ ...p, state: "ended" }));
      } catch (e) {
        call.cancel(e);
        update((p) => ({ ...p, state: "failed", error: ParleyError.from(e) }));
      }
    })();
    return () => {
      mounted = false;
      call.cancel();
      setProgress(undefined); // strict mode and Activity make another call for the same key
    };
  }, [key, enabled]);

  useEffect(() => {
    // A larger number does not restore messages that were dropped.
    setProgress((p) => (p && lastOf(p.messages, keep) !== p.messages ? { ...p, messages: lastOf(p.messages, keep) } : p));
  }, [keep]);

  const { state, error, messages } =
    progress?.key === key ? progress : { state: enabled ? "open" : "off", error: undefined, messages: none };
  const kept = lastOf(messages, keep);
  return { state, error, messages: kept, latest: kept.at(-1) } as FollowState<T>;
}

/** Returns the last n messages. n may be any number. */
function lastOf<T>(messages: readonly T[], n: number): readonly T[] {
  if (messages.length <= n) return messages;
  return n >= 1 ? messages.slice(-Math.trunc(n)) : none;
}
