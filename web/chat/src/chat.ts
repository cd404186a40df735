// The chat's page: a room is one call with messages both ways; who types is told by calls of the server.
import { createClient, createConnection, ParleyError } from "@parley-rpc/client";
import { ChatService, type JoinResponse, MemberService } from "../../gen/parley/chat/v1/chat_pb.js";
import { Outbox } from "./outbox.js";
import { ui } from "./ui.js";

/** The WebSocket in use, for the button that breaks it. */
let socket: WebSocket | undefined;

class Breakable extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    socket = this;
  }
}

const connection = createConnection("/rpc", { WebSocket: Breakable });
const chat = createClient(ChatService, connection);

connection.subscribe((state) => ui.showState(state, connection.error?.rawMessage));
connection.serve(MemberService, {
  showTyping({ name }) {
    ui.showTyping(name);
    return {};
  },
});

/** Is in a room until the call ends. */
async function join(room: string, name: string): Promise<void> {
  const out = new Outbox([{ action: { case: "enter", value: { room, name } } }]);
  ui.onSay = (text) => out.put({ action: { case: "say", value: { text } } });
  ui.onLeave = () => out.end();
  for await (const event of chat.join(out)) show(event, room, name);
}

function show({ missed, event }: JoinResponse, room: string, own: string): void {
  if (missed) ui.note(`${missed} messages missed`);
  switch (event.case) {
    case "entered":
      ui.enter(room, event.value.names);
      break;
    case "came":
      ui.came(event.value.name);
      break;
    case "said":
      ui.said(event.value.name, event.value.text, event.value.name === own);
      break;
    case "left":
      ui.left(event.value.name);
      break;
  }
}

ui.onEnter = async (room, name) => {
  try {
    await join(room, name);
    ui.leave("");
  } catch (e) {
    ui.leave(ParleyError.from(e).rawMessage);
  }
};
// Without a room, or a connection, nobody is to be told.
ui.onTyping = () => void chat.type({}).catch(() => {});
ui.onBreak = () => socket?.close();
