import type { DescMethod } from "@bufbuild/protobuf";
import { inflate } from "./compression.js";
import type { ConnectServer } from "./connectserver.js";
import {
  addMetadata,
  bodyOf,
  contentType,
  headerFields,
  metadata,
  parseEndStream,
  statusOf,
  trailerFields,
} from "./connectwire.js";
import { ParleyError } from "./error.js";
import { encodeFields, type Field } from "./fields.js";
import { isUpload } from "./method.js";
import type { PeerStream } from "./peerstream.js";
import { encodeEnd, type OpenBlock } from "./serverwire.js";
import * as Code from "./statuscodes.js";
import type { Message } from "./stream.js";
import { concat, utf8 } from "./varint.js";

/** The flags before a message of a stream. */
const COMPRESSED = 1;
const END_STREAM = 2;
const PREFIX = 5;
const MAX_END = 1 << 20;

/** The status of a call, and its trailers. */
interface End {
  error?: ParleyError | undefined;
  trailers: Field[];
}

/** Serves a stream by a request of the Connect protocol. The error says why there is no WebSocket. */
export async function callByFetch(
  stream: PeerStream,
  open: OpenBlock,
  method: DescMethod | undefined,
  server: ConnectServer,
  blocked: ParleyError,
): Promise<void> {
  const { maxHeader } = server.conn.settings;
  let end: End;
  try {
    end = await new FetchCall(stream, open, method, server).run(blocked);
  } catch (e) {
    if (stream.abort.signal.aborted) return;
    end = { error: lost(e), trailers: [] };
  }
  stream.end(encodeEnd(end.error, end.trailers, maxHeader));
}

/** Returns the error of what was thrown. fetch throws a TypeError if the connection is lost. */
const lost = (e: unknown): ParleyError =>
  e instanceof TypeError ? new ParleyError(`connection lost: ${e.message}`, Code.Unavailable, { cause: e }) : ParleyError.from(e);

class FetchCall {
  readonly #stream: PeerStream;
  readonly #open: OpenBlock;
  readonly #method: DescMethod | undefined;
  readonly #server: ConnectServer;

  constructor(stream: PeerStream, open: OpenBlock, method: DescMethod | undefined, server: ConnectServer) {
    this.#stream = stream;
    this.#open = open;
    this.#method = method;
    this.#server = server;
  }

  async run(blocked: ParleyError): Promise<End> {
    if (!this.#method || isUpload(this.#method)) {
      throw new ParleyError(`${this.#open.method} streams requests: ${blocked.rawMessage}`, Code.Unimplemented);
    }
    const requests = await this.#stream.requests;
    const [request] = requests;
    if (!request || requests.length > 1) throw new ParleyError(`${requests.length} requests instead of one`, Code.Internal);
    return this.#method.methodKind === "unary" ? this.#unary(request) : this.#download(request);
  }

  async #unary(request: Message): Promise<End> {
    const headers = await this.#headers(`application/${this.#open.codec}`);
    if (request.mark) headers.set("content-encoding", this.#open.encoding);
    const res = await this.#post(headers, request.bytes);
    const trailers = trailerFields(res.headers);
    this.#stream.sendHeader(encodeFields(headerFields(res.headers)));
    if (!res.ok || contentType(res) !== `application/${this.#open.codec}`) return { error: await statusOf(res), trailers };
    for await (const piece of bodyOf(res)) if (piece.length) await this.#stream.send(piece, true, false);
    await this.#stream.send(new Uint8Array(), false, false);
    return { trailers };
  }

  async #download(request: Message): Promise<End> {
    const type = `application/connect+${this.#open.codec}`;
    const { encoding } = this.#open;
    const headers = await this.#headers(type);
    if (encoding) {
      headers.set("connect-content-encoding", encoding);
      headers.set("connect-accept-encoding", encoding);
    }
    const prefix = new DataView(new ArrayBuffer(PREFIX));
    prefix.setUint8(0, request.mark ? COMPRESSED : 0);
    prefix.setUint32(1, request.bytes.length);
    const res = await this.#post(headers, new Uint8Array(prefix.buffer), request.bytes);
    const announced = res.headers.get("connect-content-encoding");
    const compression: Field[] = announced && announced !== "identity" ? [[5, utf8(announced)]] : [];
    this.#stream.sendHeader(encodeFields([...compression, ...metadata(res.headers)]));
    if (!res.ok || contentType(res) !== type) return { error: await statusOf(res), trailers: [] };
    return this.#messages(res);
  }

  /** Passes the messages of a response on, piece by piece as they arrive. The peer checks their size. */
  async #messages(res: Response): Promise<End> {
    let rest: Uint8Array = new Uint8Array();
    let left = 0; // bytes of the message that is arriving
    let isMarked = false;
    for await (const piece of bodyOf(res)) {
      rest = rest.length ? concat([rest, piece]) : piece;
      for (;;) {
        if (left) {
          const part = rest.subarray(0, left);
          if (!part.length) break;
          rest = rest.subarray(part.length);
          left -= part.length;
          await this.#stream.send(part, left > 0, isMarked);
          continue;
        }
        if (rest.length < PREFIX) break;
        const flags = rest[0]!;
        const size = new DataView(rest.buffer, rest.byteOffset).getUint32(1);
        isMarked = (flags & COMPRESSED) !== 0;
        if (flags & END_STREAM) {
          if (size > MAX_END) throw new ParleyError(`an end of ${size} bytes`, Code.ResourceExhausted);
          if (rest.length < PREFIX + size) break; // until more has arrived
          const bytes = rest.subarray(PREFIX, PREFIX + size);
          return parseEndStream(isMarked ? (await inflate(bytes, MAX_END)).bytes : bytes);
        }
        rest = rest.subarray(PREFIX);
        left = size;
        if (!size) await this.#stream.send(rest.subarray(0, 0), false, isMarked);
      }
    }
    throw new ParleyError("connection lost: the response is not complete", Code.Unavailable);
  }

  /** Returns the headers of a request. */
  async #headers(type: string): Promise<Headers> {
    const headers = new Headers();
    addMetadata(headers, this.#open.pairs);
    const token = await this.#server.conn.token(this.#stream.abort.signal);
    // A call's own header is for the same hook of the server.
    if (token && !headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
    headers.set("content-type", type);
    const { timeout } = this.#open;
    if (timeout !== undefined) headers.set("connect-timeout-ms", String(Math.max(1, Math.round(timeout / 1000))));
    return headers;
  }

  #post(headers: Headers, ...body: Uint8Array[]): Promise<Response> {
    return this.#server.post(this.#open.method, headers, concat(body), this.#stream.abort.signal);
  }
}
