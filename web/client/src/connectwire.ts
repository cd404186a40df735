import { codeName, Code as codes, type Code as StatusCode } from "./code.js";
import { ParleyError } from "./error.js";
import type { Field } from "./fields.js";
import { isBinary, isKey, isText, type Pair, pairField } from "./metadata.js";
import { AnySchema, base64Decode, base64Encode, create } from "./protobuf.js";
import * as Code from "./statuscodes.js";
import { fromUTF8, utf8 } from "./varint.js";

// What the Connect protocol has on HTTP: statuses, and metadata in headers (https://connectrpc.com/docs/protocol).

/** The most bytes of an error. */
const MAX_ERROR = 1 << 20;

/** Headers of HTTP, of the protocol, and of browsers. They are no metadata, as in ext/connect. */
const notMetadata = new RegExp(
  `^(${[
    "(access-control|connect|grpc|proxy|sec)-.*|accept(-charset|-encoding|-language)?|content-(encoding|length|type)",
    "alt-svc|connection|cookie2?|date|dnt|expect|host|keep-alive|origin|priority|referer|server|set-cookie2?|te|trailer",
    "transfer-encoding|upgrade|user-agent|vary|via|x-grpc-web|x-user-agent",
  ].join("|")})$`,
);

/** Adds metadata to the headers of a request. It throws if HTTP cannot carry a name. */
export function addMetadata(headers: Headers, pairs: readonly Pair[]): void {
  for (const [key, value] of pairs) {
    if (notMetadata.test(key)) {
      const text = `headers: ${key} is a header of HTTP, and calls go over HTTP while WebSockets do not get through: rename it`;
      throw new ParleyError(text, Code.InvalidArgument);
    }
    headers.append(key, isBinary(key) ? base64Encode(value, "std_raw") : fromUTF8(value));
  }
}

/** Returns metadata fields of headers and their values. What is none is left out. */
export function metadata(entries: Iterable<readonly [key: string, value: string]>): Field[] {
  const fields: Field[] = [];
  for (const [name, value] of entries) {
    const key = name.toLowerCase();
    if (notMetadata.test(key) || !isKey(key)) continue;
    if (!isBinary(key)) {
      if (isText(value)) fields.push(pairField([key, utf8(value)]));
      continue;
    }
    for (const part of value.split(",")) {
      try {
        fields.push(pairField([key, base64Decode(part.trim())]));
      } catch {
        // It is not base64.
      }
    }
  }
  return fields;
}

const TRAILER = "trailer-";

/** Returns the metadata in the headers of the response of a unary call. */
export const headerFields = (headers: Headers): Field[] => metadata([...headers].filter(([key]) => !key.startsWith(TRAILER)));

/** Returns the trailers in the headers of the response of a unary call. */
export const trailerFields = (headers: Headers): Field[] =>
  metadata(
    [...headers].flatMap(([key, value]) => (key.startsWith(TRAILER) ? [[key.slice(TRAILER.length), value] as const] : [])),
  );

const byName = new Map<unknown, StatusCode>(Object.values(codes).map((code) => [codeName(code), code]));

const httpCodes: Record<number, StatusCode> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  405: Code.Unimplemented,
  413: Code.ResourceExhausted,
  426: Code.Unimplemented,
  429: Code.Unavailable,
  431: Code.ResourceExhausted,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

/** Returns the type of a response without its parameters. */
export const contentType = (res: Response): string => (res.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();

/** Reports whether a response may be the error of a unary call. */
export const isConnectJSON = (res: Response): boolean => contentType(res) === "application/json";

/** Returns the error of a response that is none of a successful call: what the server says, or what the HTTP status means. */
export async function statusOf(res: Response): Promise<ParleyError> {
  const type = contentType(res) || "no type";
  const text = `${res.url} answers HTTP status ${res.status} with ${type}: mount the handler of ext/connect there`;
  const fallback = new ParleyError(text, httpCodes[res.status] ?? (res.ok ? Code.Internal : Code.Unknown));
  if (!isConnectJSON(res)) {
    await res.body?.cancel();
    return fallback;
  }
  try {
    return parseError(JSON.parse(fromUTF8(await readAll(res))), fallback.code) ?? fallback;
  } catch {
    return fallback;
  }
}

async function readAll(res: Response): Promise<Uint8Array> {
  const size = Number(res.headers.get("content-length"));
  if (size > MAX_ERROR) throw new Error("too large");
  const pieces: Uint8Array[] = [];
  let left = MAX_ERROR;
  for await (const piece of bodyOf(res)) {
    left -= piece.length;
    if (left < 0) throw new Error("too large");
    pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** Iterates over the body of a response. Leaving the loop cancels it. */
export async function* bodyOf(res: Response): AsyncGenerator<Uint8Array> {
  const reader = res.body?.getReader();
  if (!reader) return;
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isDone = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isDone) reader.cancel().catch(() => {}); // it may have failed already
  }
}

/** Parses the error of a call. A value that is not an object has no error. Details that do not parse are left out. */
function parseError(value: unknown, code: StatusCode): ParleyError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code: name, message, details } = value as { code?: unknown; message?: unknown; details?: unknown };
  const error = new ParleyError(typeof message === "string" ? message : "", byName.get(name) ?? code);
  for (const detail of Array.isArray(details) ? details : []) {
    try {
      const typeUrl = `type.googleapis.com/${(detail as { type: string }).type}`;
      error.details.push(create(AnySchema, { typeUrl, value: base64Decode((detail as { value: string }).value) }));
    } catch {
      // The status counts.
    }
  }
  return error;
}

/** Parses the last message of a stream: its error and its trailers. */
export function parseEndStream(bytes: Uint8Array): { error: ParleyError | undefined; trailers: Field[] } {
  let end: { error?: unknown; metadata?: unknown } | null = null;
  try {
    end = JSON.parse(fromUTF8(bytes));
  } catch {
    // It is checked below.
  }
  if (typeof end !== "object" || end === null) throw new ParleyError("the end of the response is malformed", Code.Internal);
  const entries = Object.entries(end.metadata ?? {}).flatMap(([key, values]) =>
    (Array.isArray(values) ? values : []).map((value) => [key, String(value)] as const),
  );
  return { error: end.error ? parseError(end.error, Code.Unknown) : undefined, trailers: metadata(entries) };
}
