import type { DescMethod } from "@bufbuild/protobuf";

/** The name of a method on the wire. */
export const methodPath = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;
