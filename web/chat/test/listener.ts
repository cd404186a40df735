import { type Connection, createClient, follow } from "@parley-rpc/client";
import { ChatService } from "../../gen/parley/chat/v1/chat_pb.js";

/** Listens to a room until the signal is aborted, and tells what it hears. */
export async function listen(
  conn: Connection,
  room: string,
  signal: AbortSignal,
  heard: (line: { name: string; text: string; member: string; number: bigint }) => void,
  missed: () => void,
): Promise<void> {
  //snippet:topic
  const chat = createClient(ChatService, conn);
  const lines = follow({
    from: "", // all lines that the room keeps
    open: (position, options) => chat.listen({ room, position }, options),
    cursor: (line) => line.position, // where the next call continues, at any server
    signal,
  });
  for await (const line of lines) {
    if (line.missed || line.missedMore) missed(); // a gap is told, never hidden
    if (line.said) heard(line.said);
  }
  //snippet:end
}
