// What a caller makes of what it is answered: rpc/malformed_answer_test.go, ending_test.go and send_test.go have the same claims.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PingService } from "../../gen/parley/ping/v1/ping_pb.js";
import { encodeFields, type Field } from "../src/fields.js";
import * as f from "../src/frame.js";
import { type CallOptions, Code, createClient, type ParleyError } from "../src/index.js";
import { concat, putBytes, utf8 } from "../src/varint.js";
import { Client, checkErrors, Network, type Peer, settle, type TestServer } from "./network.js";

const HOME = "ws://home.example/rpc";

let network: Network;
let server: TestServer;
let client: Client;
let other: bigint[];
beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
  network = new Network();
  server = network.serve(HOME, "answer");
  server.responds = false;
  client = new Client(network, HOME, { settings: { maxMessage: 65_536 } });
  // A call beside those that are answered badly, which lives.
  other = [];
  void (async () => {
    for await (const { number } of ping().countUp({})) other.push(number);
  })().catch((e) => Client.errors.push(e));
  await settle();
  beside = server.peer.calls.splice(0)[0]?.id ?? 0;
});
let beside: number;
afterEach(async () => {
  server.peer.send(f.DATA, beside, Uint8Array.of(8, 7));
  await settle();
  expect(other).toEqual([7n]);
  await client.conn.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  checkErrors();
});

const ping = () => createClient(PingService, client.conn);

const drain = async <T>(messages: AsyncIterable<T>) => {
  const got: T[] = [];
  for await (const m of messages) got.push(m);
  return got;
};

type Kind = "unary" | "upload" | "download" | "bidi";
const calls: Record<Kind, (o?: CallOptions) => Promise<unknown>> = {
  unary: (o) => ping().ping({}, o),
  upload: (o) => ping().sum([{}], o),
  download: (o) => drain(ping().countUp({}, o)),
  bidi: (o) => drain(ping().cumSum([{}], o)),
};
const single: Kind[] = ["unary", "upload"];
const many: Kind[] = ["download", "bidi"];
const kinds: Kind[] = [...single, ...many];

/** How a call ends that is answered by the test: OK is undefined. */
async function answered(kind: Kind, answer: (peer: Peer, id: number) => void, options?: CallOptions) {
  let status: ParleyError | undefined | "none" = "none";
  calls[kind](options).then(
    () => {
      status = undefined;
    },
    (e) => {
      expect(e.message).not.toContain("undefined");
      status = e; // its text may be empty, as the test's server has none
    },
  );
  await settle();
  const { peer } = server;
  const id = peer.calls.splice(0)[0]?.id ?? 0;
  peer.frames = [];
  answer(peer, id);
  await settle();
  if (status === "none") throw new Error("the call has not ended");
  return { status: status as ParleyError | undefined, frames: peer.frames.filter((x) => x.endsWith(` ${id}`)) };
}

const one = new Uint8Array();
const wrong = Uint8Array.of(0x0a, 0xff);
const metadata = (key: string, value: string): Field => {
  const out: number[] = [];
  putBytes(out, utf8(key));
  return [9, concat([out, utf8(value)])];
};
const pairs = (n: number) => Array.from({ length: n }, (_, i) => metadata(`k${i}`, ""));
const header =
  (...fields: Field[]) =>
  (peer: Peer, id: number) => {
    peer.send(f.HEADER, id, encodeFields(fields));
    peer.send(f.DATA, id, one);
    peer.send(f.END, id);
  };
const end =
  (...fields: Field[]) =>
  (peer: Peer, id: number) => {
    peer.send(f.DATA, id, one);
    peer.send(f.END, id, encodeFields(fields));
  };
const data =
  (payload: Uint8Array, flags: number, ...fields: Field[]) =>
  (peer: Peer, id: number) => {
    if (fields.length) peer.send(f.HEADER, id, encodeFields(fields));
    peer.send(f.DATA | flags, id, payload);
    peer.send(f.END, id);
  };
const raw =
  (type: number, ...bytes: number[]) =>
  (peer: Peer, id: number) =>
    peer.send(type, id, Uint8Array.of(...bytes));

const { Internal, ResourceExhausted, NotFound, Unknown, Aborted } = Code;
test.each<[row: string, what: string, kinds: Kind[], answer: (peer: Peer, id: number) => void, code: Code | 0]>([
  ["R1", "key 0 in the header", kinds, header([0, 0]), Internal],
  ["R1", "a key twice in the header", kinds, header([5, utf8("a")], [5, utf8("a")]), Internal],
  ["R1", "a field that is cut in the header", kinds, raw(f.HEADER, 9, 9), Internal],
  ["R1", "key 0 at the end", kinds, end([0, 0]), Internal],
  ["R1", "a status twice", kinds, end([2, 5], [2, 5]), Internal],
  ["R1", "a message that is cut", kinds, raw(f.END, 1, 5, 97), Internal],
  ["R3", "a key in upper case in the header", kinds, header(metadata("Tag", "x")), Internal],
  ["R3", "a value with a newline at the end", kinds, end(metadata("tag", "\n")), Internal],
  ["R20", "too many pairs in the header", kinds, header(...pairs(257)), ResourceExhausted],
  ["R20", "too many pairs at the end", kinds, end(...pairs(257)), ResourceExhausted],
  ["-", "as many pairs as there may be", kinds, end(...pairs(256)), 0],
  ["R7", "a mark without an encoding", kinds, data(one, f.FLAG_MARK), Internal],
  ["R7", "an encoding that was not accepted", kinds, data(one, 0, [5, utf8("br")]), Internal],
  ["R8", "a message that does not parse", kinds, data(wrong, 0), Internal],
  [
    "S13",
    "a message over the limit",
    kinds,
    (peer, id) => {
      for (let i = 0; i < 5; i++) peer.send(f.DATA | f.FLAG_MORE, id, new Uint8Array(15_000));
    },
    ResourceExhausted,
  ],
  ["R15", "a detail that does not parse", kinds, end([2, 5], [11, Uint8Array.of(0xff)]), NotFound],
  ["R16", "a status that does not exist", kinds, end([2, 17]), Unknown],
  ["R16", "the largest status", kinds, end([2, Number.MAX_SAFE_INTEGER]), Unknown],
  ["R17", "text that is not UTF-8", kinds, end([2, 10], [1, Uint8Array.of(97, 0xff)]), Aborted],
  ["R19", "no message", single, (peer, id) => peer.send(f.END, id), Internal],
  [
    "R19",
    "two messages",
    single,
    (peer, id) => {
      peer.send(f.DATA, id, one);
      peer.send(f.DATA | f.FLAG_END, id, one);
    },
    Internal,
  ],
  ["-", "no message", many, (peer, id) => peer.send(f.END, id), 0],
  [
    "-",
    "two messages",
    many,
    (peer, id) => {
      peer.send(f.DATA, id, one);
      peer.send(f.DATA | f.FLAG_END, id, one);
    },
    0,
  ],
  [
    "-",
    "a failure that has neither message nor header",
    kinds,
    (peer, id) => peer.send(f.END, id, encodeFields([[2, 5]])),
    NotFound,
  ],
  ["-", "an OK that has message and details", kinds, end([1, utf8("fine")], [11, Uint8Array.of(0xff)]), 0],
  ["-", "unknown keys", kinds, end([1000, 1], [13, utf8("x")]), 0],
])("%s %s ends its call alone", async (_, __, of, answer, code) => {
  // biome-ignore format: one line
  for (const kind of of) {
    const { status } = await answered(kind, answer);
    expect(status?.code ?? 0, kind).toBe(code);
  }
});

test.each([
  ["R1", "bidi", header([0, 0])],
  ["R7", "download", (peer: Peer, id: number) => peer.send(f.HEADER, id, encodeFields([[5, utf8("br")]]))],
  ["R8", "bidi", (peer: Peer, id: number) => peer.send(f.DATA, id, Uint8Array.of(0xff))],
  ["R19", "unary", (peer: Peer, id: number) => [0, 1].map(() => peer.send(f.DATA, id, one))],
] as const)("%s resets a stream that is open", async (_, kind, answer) => {
  const { frames } = await answered(kind, answer);
  expect(frames).toContainEqual(expect.stringMatching(/^RESET/));
});

describe("a RESET is the status of its call", () => {
  const table: [number, Code][] = [
    [1, Code.Canceled],
    [3, ResourceExhausted],
    [4, Internal],
    [5, Internal],
    [6, Internal],
    [255, Internal],
    [256, Unknown],
    [256 + 17, Unknown],
    [Number.MAX_SAFE_INTEGER, Unknown],
    ...Object.values(Code).map((code): [number, Code] => [256 + code, code]),
  ];
  test.each(kinds)("%s", async (kind) => {
    for (const [code, want] of table) {
      const reason = concat([f.encodeNumber(code), utf8("because")]);
      const { status } = await answered(kind, (peer, id) => peer.send(f.RESET, id, reason));
      expect(status).toMatchObject({ code: want, rawMessage: "because" });
      const without = await answered(kind, (peer, id) => peer.reset(id, code));
      expect(without.status?.rawMessage).toBe(`stream reset by the peer (code ${code})`);
    }
  });
});

test("reserved headers and trailers are not shown", async () => {
  const seen: string[] = [];
  const own = [metadata("parley-a", "x"), metadata("mine", "y"), metadata("parley-b-bin", "\xff")];
  const show = (headers: Headers) => seen.push([...headers].join(";"));
  await answered("download", (peer, id) => {
    peer.send(f.HEADER, id, encodeFields(own));
    peer.send(f.END, id, encodeFields(own));
  }, { onHeader: show, onTrailer: show }); // biome-ignore format: one line
  expect(seen).toEqual(["mine,y", "mine,y"]);
});

test.each([
  ["is empty", [] as Field[], undefined],
  ["fails", [[2, 5]] as Field[], Code.NotFound],
] as const)("headers come ahead of the status of a stream that %s, and trailers with it", async (_, status, code) => {
  for (const kind of many) {
    const seen: string[] = [];
    const options: CallOptions = {
      onHeader: (h) => seen.push(`header ${h.get("a")}`),
      onTrailer: (t) => seen.push(`trailer ${t.get("b")}`),
    };
    const out = await answered(kind, (peer, id) => {
      peer.send(f.HEADER, id, encodeFields([metadata("a", "1")]));
      peer.send(f.END, id, encodeFields([...status, metadata("b", "2")]));
    }, options); // biome-ignore format: one line
    expect(out.status?.code).toBe(code);
    if (code) expect(out.status?.trailer?.get("b")).toBe("2");
    expect(seen).toEqual(["header 1", "trailer 2"]);
  }
});

test("header fails with the status if no header arrives", async () => {
  const call = client.conn.call(PingService.method.cumSum);
  const waiting = call.header().catch((e: ParleyError) => e.code);
  await settle();
  call.cancel();
  expect(await waiting).toBe(Code.Canceled);
  await expect(call.header()).rejects.toMatchObject({ code: Code.Canceled });
  await expect(call.next()).rejects.toMatchObject({ code: Code.Canceled });

  const bad = client.conn.call(PingService.method.cumSum);
  const header = bad.header().catch((e: ParleyError) => e.code);
  await bad.send({});
  await settle();
  server.peer.send(f.HEADER, server.peer.lastStream, Uint8Array.of(0, 0));
  expect(await header).toBe(Internal);
  await expect(bad.next()).rejects.toMatchObject({ code: Internal });
});

test("messages before the status can be read after a send has failed", async () => {
  const call = client.conn.call(PingService.method.cumSum);
  await call.send({});
  await settle();
  const { peer } = server;
  peer.send(f.DATA, peer.lastStream, Uint8Array.of(8, 5));
  peer.send(f.END, peer.lastStream, encodeFields([[2, 7]]));
  peer.reset(peer.lastStream, 1);
  await settle();
  await expect(call.send({})).rejects.toMatchObject({ code: Code.PermissionDenied });
  expect((await call.next())?.sum).toBe(5n);
  for (let i = 0; i < 2; i++) await expect(call.next()).rejects.toMatchObject({ code: Code.PermissionDenied });
});

test("sending after OK or after the end is FAILED_PRECONDITION", async () => {
  const call = client.conn.call(PingService.method.cumSum);
  await call.send({});
  call.end();
  await expect(call.send({})).rejects.toMatchObject({ code: Code.FailedPrecondition });
  await settle();
  server.peer.send(f.END, server.peer.lastStream);
  await settle();
  for (let i = 0; i < 2; i++) expect(await call.next()).toBeUndefined();
  await expect(call.send({})).rejects.toMatchObject({ code: Code.FailedPrecondition });
  call.end();
  call.cancel();
  expect(await call.next()).toBeUndefined();
});

test("a status before the caller's end resets the rest", async () => {
  const call = client.conn.call(PingService.method.cumSum);
  await call.send({});
  await settle();
  server.peer.frames = [];
  server.peer.send(f.DATA | f.FLAG_END, server.peer.lastStream, Uint8Array.of(8, 5));
  expect((await call.next())?.sum).toBe(5n);
  expect(await call.next()).toBeUndefined();
  await settle();
  expect(server.peer.frames).toContain(`RESET ${server.peer.lastStream}`);
});

test("callbacks that throw end only their call, with that error", async () => {
  for (const callback of ["onHeader", "onTrailer"] as const) {
    const options = {
      [callback]: () => {
        throw new Error("a bug");
      },
    };
    for (const kind of kinds) expect((await answered(kind, end(), options)).status?.message).toMatch(/a bug$/);
  }
});
