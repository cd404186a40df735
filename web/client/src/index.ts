/** Calls of all four kinds, in both directions, over WebSockets: the protocol parley.v1 for browsers, workers and Node.js. */
export type { Jitter } from "./backoff.js";
export type { Call, CallOptions } from "./call.js";
export { type Client, createClient, pump, type Requests as Input, Responses, singleResponse as onlyAnswer } from "./client.js";
export { Code, codeName } from "./code.js";
export { type Codec, proto } from "./codec.js";
export { gzip } from "./compression.js";
export { Connection, type State } from "./connection.js";
export { ParleyError } from "./error.js";
export { type FollowOptions, follow } from "./follow.js";
export type { Settings } from "./hello.js";
export type { CallInfo, CallStream, Handler, Interceptor } from "./interceptor.js";
export { json } from "./json.js";
export type { WebSocketConstructor, WebSocketLike } from "./link.js";
export type { ConnectionOptions } from "./options.js";
export { type Retries, type RetryPolicy, retryPolicy } from "./retry.js";
export { retryAfter, retryLater } from "./retryinfo.js";
export type { Implementation, ServeContext } from "./service.js";
export { createConnection, ServingConnection, type ServingOptions } from "./servingconnection.js";
