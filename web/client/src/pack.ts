import type { Control, Emit } from "./control.js";
import { tooLong } from "./error.js";
import * as f from "./frame.js";
import type { Resumption } from "./resumption.js";
import type { Session } from "./session.js";
import type { Stream } from "./stream.js";
import type { Streams } from "./streams.js";
import { concat } from "./varint.js";

const BATCH = f.BEGIN / 2;

/** What a link message is made of, and by which rules. */
export interface Ready {
  streams: Streams;
  control: Control;
  resumption: Resumption;
  session: Session;
  /** Makes an ACK. */
  ack(): Uint8Array;
}

/** Puts what is ready into a link message, control frames first, streams in turns. It returns undefined if nothing is. */
export function pack(r: Ready): Uint8Array<ArrayBuffer> | undefined {
  const { replay, received, inForce } = r.resumption;
  const { pending, ready } = r.streams;
  const { session } = r;
  const parts: ArrayLike<number>[] = [];
  const kept: [from: number, to: number][] = [];
  let size = 0;
  const emit: Emit = (head, id, payload) => {
    const start = f.encodeStart(head, id, payload.length);
    const from = size;
    parts.push(start, payload);
    size += start.length + payload.length;
    if (f.isSequenced(head & 0x0f) && (inForce || !session.greeted)) kept.push([from, size]);
  };
  const full = () => size >= BATCH || replay.bytes + size >= session.settings.replayLimit;
  r.control.emit(emit, () => size >= BATCH);
  if (session.takesStreams) for (const s of pending) if (full() || !emitOpen(r, s, emit)) break;
  for (const s of ready) {
    if (full()) break;
    ready.delete(s);
    if (s.emit(emit)) ready.add(s);
  }
  const owed = size ? received.owed : received.due(session.peer.replayLimit, Date.now());
  if (inForce && owed && size < f.BEGIN) parts.push(r.ack());
  if (!parts.length) return undefined;
  const message = concat(parts);
  // Frames are kept where they are, so that what is sent is copied once.
  for (const [from, to] of kept) replay.push(message.subarray(from, to));
  return message;
}

/** Opens a stream. It returns false if that, and those behind it, have to wait. */
function emitOpen({ streams, session }: Ready, s: Stream, emit: Emit): boolean {
  const { peer, greeted } = session;
  if (streams.own >= peer.maxStreams) return false;
  const header = s.makeHeader!(session);
  if (header.length > peer.maxHeader) {
    if (!greeted) return false;
    s.fail(tooLong("header", header.length, peer.maxHeader), false);
    return true;
  }
  streams.start(s);
  emit(f.OPEN, s.id, header);
  return true;
}
