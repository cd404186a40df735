import { type CallOptions, type Connection, ParleyError } from "@parley-rpc/client";
import { useEffect, useRef, useState } from "react";
import { useKey } from "./stable.js";

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
  /** How many messages are kept: 1 if not given, none if it is 0. */
  keep?: number | undefined;
  /** Whether there is a call; true if not given. */
  enabled?: boolean | undefined;
  /** Called with each message, also with those that no render shows because the next came at once. */
  onMessage?: ((message: T) => void) | undefined;
}

/** What a component sees of a stream that is opened again. */
export interface FollowState<T> extends Omit<CallState<T>, "state"> {
  /** As of a call; `waiting`: the stream has ended and will be opened again, `error` says why. */
  readonly state: CallState<T>["state"] | "waiting";
}

/** Has it seen how a stream goes on. */
export type Report = (state: "open" | "waiting", error?: ParleyError) => void;

/** What a hook receives messages from. */
export interface Source<T> {
  next(): Promise<T | undefined>;
  cancel(reason?: unknown): void;
}

/** What has become of a call. */
interface Progress<T> {
  /** The dependencies that it was made for. */
  readonly key: readonly unknown[];
  readonly state: "open" | "waiting" | "ended" | "failed";
  readonly error: ParleyError | undefined;
  readonly messages: readonly T[];
}

const none: readonly never[] = [];

/**
 * Makes a call while the component is there, and cancels it afterwards. Other deps make another call. The render that brings
 * them shows that call, and nothing of the one before.
 */
export function useCall<T>(start: () => Source<T>, options: HookOptions<T>, deps: readonly unknown[]): CallState<T> {
  return useFollowedCall(start, options, deps) as CallState<T>;
}

/** Is `useCall` for what may wait in between. */
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
    // A larger number does not bring back what was not kept.
    setProgress((p) => (p && lastOf(p.messages, keep) !== p.messages ? { ...p, messages: lastOf(p.messages, keep) } : p));
  }, [keep]);

  const { state, error, messages } =
    progress?.key === key ? progress : { state: enabled ? "open" : "off", error: undefined, messages: none };
  const kept = lastOf(messages, keep);
  return { state, error, messages: kept, latest: kept.at(-1) } as FollowState<T>;
}

/** Returns the last n messages; n may be any number. */
function lastOf<T>(messages: readonly T[], n: number): readonly T[] {
  if (messages.length <= n) return messages;
  return n >= 1 ? messages.slice(-Math.trunc(n)) : none;
}
