import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { ReportSchema } from "../../gen/conformance/v1/driver_pb.js";

let write: (line: string) => void;

/** Says where reports go. */
export function reportTo(f: (line: string) => void): void {
  write = f;
}

/** Writes a line for the runner. */
export function report(endpoint: bigint, what: NonNullable<MessageInitShape<typeof ReportSchema>["what"]>): void {
  write(toJsonString(ReportSchema, create(ReportSchema, { endpoint, what })));
}
