// What the tests use in the page: everything is on window.kit.
export { Code, createClient, createConnection, gzip, ParleyError } from "@parley-rpc/client";
export { fetchFallback } from "@parley-rpc/client/fallback";
export { AgentService, HubService } from "../gen/parley/agent/v1/agent_pb.js";
export { PingFailureSchema, PingService } from "../gen/parley/ping/v1/ping_pb.js";
