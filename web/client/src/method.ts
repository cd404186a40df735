import type { DescMethod } from "@bufbuild/protobuf";

/** The name of a method on the wire. */
export const methodPath = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;

/** Whether the caller sends any number of messages. */
export const isUpload = ({ methodKind }: DescMethod): boolean =>
  methodKind === "client_streaming" || methodKind === "bidi_streaming";

/** Whether the answer is any number of messages. */
export const isDownload = ({ methodKind }: DescMethod): boolean =>
  methodKind === "server_streaming" || methodKind === "bidi_streaming";
