/** A Transport for clients of @connectrpc/connect: all four kinds of call over one WebSocket. */
export { toConnectError } from "./error.js";
export { createParleyTransport, type ParleyTransport, type ParleyTransportOptions } from "./transport.js";
