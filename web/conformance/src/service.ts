import { create, createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import {
  AnySchema,
  EmptySchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_empty,
} from "@bufbuild/protobuf/wkt";
import { type Code, type Implementation, ParleyError, type ServeContext } from "@parley-rpc/client";
import { type ConformanceService, Then, type Work } from "../../gen/conformance/v1/service_pb.js";
import { addPairs, toPairs } from "./pairs.js";
import { report } from "./report.js";

/** The service under test. Its requests say what it does. */
export function service(endpoint: bigint): Implementation<typeof ConformanceService> {
  const start = async (work: Work, context: ServeContext): Promise<void> => {
    if (work.then === Then.CRASH) throw new Error("swordfish");
    if (work.then === Then.WAIT) {
      const { signal } = context;
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      report(endpoint, { case: "handlerEnd", value: { method: context.method.name } });
      throw new ParleyError("the call is over", 1);
    }
    addPairs(context.responseHeaders, work.header);
    addPairs(context.responseTrailers, work.trailer);
  };
  const result = (work: Work | undefined, context: ServeContext, text: string) => ({
    text,
    padding: new Uint8Array(work?.size ?? 0),
    metadata: work?.show ? toPairs(context.requestHeaders) : [],
  });
  return {
    async unary(work, context) {
      await start(work, context);
      finish(work);
      return result(work, context, work.text);
    },

    async upload(requests, context) {
      let first: Work | undefined;
      let texts = "";
      for await (const work of requests) {
        if (!first) await start((first = work), context);
        texts += work.text;
      }
      finish(first);
      return result(first, context, texts);
    },

    async *download(work, context) {
      await start(work, context);
      for (let i = 0; i < work.results; i++) yield result(work, context, work.text);
      finish(work);
    },

    async *bidi(requests, context) {
      let first: Work | undefined;
      for await (const work of requests) {
        if (!first) await start((first = work), context);
        yield result(first, context, work.text);
      }
      finish(first);
    },
  };
}

/** Ends a call with the status that its request asks for. */
function finish(work: Work | undefined): void {
  if (!work?.status) return;
  const error = new ParleyError(work.message, work.status as Code);
  error.details = work.details.map((d) => fromBinary(AnySchema, d));
  throw error;
}

/** Returns the descriptor of the service a of the session vectors, with the method b. It has no .proto of its own. */
export function abService(): DescService {
  const file = create(FileDescriptorProtoSchema, {
    name: "a.proto",
    syntax: "proto3",
    dependency: [file_google_protobuf_empty.proto.name],
    service: [
      {
        name: "a",
        method: [
          {
            name: "b",
            inputType: `.${EmptySchema.typeName}`,
            outputType: `.${EmptySchema.typeName}`,
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
  });
  const set = create(FileDescriptorSetSchema, { file: [file_google_protobuf_empty.proto, file] });
  return createFileRegistry(set).getService("a") as DescService;
}
