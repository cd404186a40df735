import type { DescMethod } from "@bufbuild/protobuf";

/** Returns the name of a method on the wire. */
export const methodPath = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;

/** Reports whether the client sends a stream. */
export const isUpload = ({ methodKind }: DescMethod): boolean => /client|bidi/.test(methodKind);

/** Reports whether the server sends a stream. */
export const isDownload = ({ methodKind }: DescMethod): boolean => /server|bidi/.test(methodKind);
