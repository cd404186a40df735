/** What the package ws exports, in a page. */
export const WebSocket = globalThis.WebSocket;
