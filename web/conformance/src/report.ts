import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { ReportSchema } from "../../gen/conformance/v1/driver_pb.js";

/** Writes a line for the runner. */
export function report(endpoint: bigint, what: NonNullable<MessageInitShape<typeof ReportSchema>["what"]>): void {
  process.stdout.write(`${toJsonString(ReportSchema, create(ReportSchema, { endpoint, what }))}\n`);
}
