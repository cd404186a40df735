import type { EngineName } from "../../testing/engines/index.js";
import { named, targets } from "./target.js";
import type { Workload } from "./workload.js";

/** A library over a protocol. Each lane takes part in every round. */
export interface Lane {
  name: string;
  target: string;
  over: string;
  tls: boolean;
}

const lane = (target: string, over: string, tls: boolean): Lane => ({ name: `${target}, ${over}`, target, over, tls });

/** In the order of measurement. Lanes with TLS are compared with each other, and so are those without. */
export const lanes: readonly Lane[] = [
  lane("parley", "WebSocket", false),
  lane("parley-gzip", "WebSocket", false),
  lane("parley-connect", "WebSocket", false),
  lane("connect-web", "HTTP/1.1", false),
  lane("grpc-web", "HTTP/1.1", false),
  lane("bare-websocket", "WebSocket", false),
  lane("bare-fetch", "HTTP/1.1", false),
  lane("parley", "WebSocket, TLS", true),
  lane("parley-connect", "WebSocket, TLS", true),
  lane("connect-web", "HTTP/2, TLS", true),
  lane("grpc-web", "HTTP/2, TLS", true),
  lane("bare-websocket", "WebSocket, TLS", true),
  lane("bare-fetch", "HTTP/2, TLS", true),
];

/** Reports whether a lane can do a workload and is asked to. */
export function takesPart(lane: Lane, w: Workload): boolean {
  const { sends, only } = named(targets, lane.target);
  return only ? only.includes(w.name) : sends || !w.sends;
}

/** Reports whether a lane would stall its page in an engine, so that it cannot be measured. */
export function stalls(lane: Lane, w: Workload, engine: EngineName): boolean {
  return named(targets, lane.target).stalls?.[engine]?.includes(w.name) ?? false;
}
