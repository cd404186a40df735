import type { Control, Emit } from "./control.js";
import { tooLarge } from "./error.js";
import * as f from "./frame.js";
import { BATCH } from "./limits.js";
import type { Resumption } from "./resumption.js";
import type { Session } from "./session.js";
import type { Stream } from "./stream.js";
import type { StreamTable } from "./streamtable.js";
import { concat } from "./varint.js";

/**
 * Packs what is ready into a link message. Control frames come first, then streams that have only small frames to send, which
 * leave half of the message to others. Each of those has its turn until a message is full, so that they share the link by
 * bytes. It returns undefined if nothing is ready.
 */
export function packLinkMessage(
  session: Session,
  streams: StreamTable,
  control: Control,
  resumption: Resumption,
): Uint8Array<ArrayBuffer> | undefined {
  const { replay, received, enabled } = resumption;
  const { pending, ready } = streams;
  const parts: ArrayLike<number>[] = [];
  const sequenced: [from: number, to: number][] = [];
  let size = 0;
  const emit: Emit = (head, id, payload) => {
    const start = f.encodeFrameHead(head, id, payload.length);
    const from = size;
    parts.push(start, payload);
    size += start.length + payload.length;
    if (f.isSequenced(head & 0x0f) && (enabled || !session.established)) sequenced.push([from, size]);
  };
  const full = () => batched() || replay.bytes + size >= replay.path.limit;
  const batched = () => size >= BATCH;
  const now = Date.now();
  control.emitProbes(emit);
  for (let frame: Uint8Array | undefined; !batched() && (frame = replay.next(now)); size += frame.length) parts.push(frame);
  control.emit(emit, batched);
  if (session.canOpen) for (const s of pending) if (full() || !emitOpen(session, streams, s, emit)) break;
  control.emitWindows(emit, batched); // behind the OPEN of their stream
  for (const heavy of [false, true]) {
    for (const s of ready) {
      if (full() || (!heavy && size >= BATCH / 2)) break;
      if (s.heavy !== heavy) continue;
      ready.delete(s);
      while (s.emit(emit)) {
        ready.add(s); // behind the others
        if (full()) break;
      }
    }
  }
  const owed = size ? received.owed : received.due(now);
  if (enabled && owed && size < f.MAX_FRAME_START) parts.push(resumption.ackFrame());
  if (!parts.length) return undefined;
  const message = concat(parts);
  // The replay buffer refers to the message, so frames are copied only once.
  for (const [from, to] of sequenced) replay.push(message.subarray(from, to), now);
  return message;
}

/** Opens a stream. It returns false if the pending streams have to wait. */
function emitOpen(session: Session, streams: StreamTable, s: Stream, emit: Emit): boolean {
  const { peer, established } = session;
  if (streams.local >= peer.maxStreams) return false;
  const header = s.makeHeader!(session);
  if (header.length > peer.maxHeader) {
    if (!established) return false;
    s.fail(tooLarge("header", header.length, peer.maxHeader), false);
    return true;
  }
  streams.openPending(s);
  emit(f.OPEN, s.id, header);
  return true;
}
