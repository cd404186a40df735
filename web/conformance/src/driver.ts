import { fromJsonString } from "@bufbuild/protobuf";
import { RequestSchema } from "../../gen/conformance/v1/driver_pb.js";
import { Endpoint } from "./endpoint.js";
import { report } from "./report.js";

/** Does what the lines of the runner say, until they end. */
export async function drive(name: string, lines: AsyncIterable<string>): Promise<void> {
  const endpoints = new Map<bigint, Endpoint>();
  report(0n, {
    case: "ready",
    value: { name, roles: ["dialer"], features: ["gzip", "json", "large-frames", "resumption", "serving"] },
  });
  for await (const line of lines) {
    const { endpoint: id, do: request } = fromJsonString(RequestSchema, line, { ignoreUnknownFields: true });
    try {
      if (request.case === "connect") endpoints.set(id, new Endpoint(id, request.value));
      const endpoint = endpoints.get(id);
      if (!endpoint) throw new Error(`there is no endpoint ${id}, and ${request.case} makes none`);
      endpoint.do(request);
      if (request.case === "close") endpoints.delete(id);
    } catch (e) {
      report(id, { case: "failure", value: String(e) });
    }
  }
}
