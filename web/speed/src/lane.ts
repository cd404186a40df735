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
  lane("parley-connect", "WebSocket", false),
  lane("connect-web", "HTTP/1.1", false),
  lane("grpc-web", "HTTP/1.1", false),
  lane("parley", "WebSocket, TLS", true),
  lane("parley-connect", "WebSocket, TLS", true),
  lane("connect-web", "HTTP/2, TLS", true),
  lane("grpc-web", "HTTP/2, TLS", true),
];
