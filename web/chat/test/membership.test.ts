import { Code, createConnection, type ParleyError, type ServingConnection } from "@parley-rpc/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { MemberService } from "../../gen/parley/chat/v1/chat_pb.js";
import { Tunnel } from "../../testing/tunnel.js";
import { until } from "../../testing/until.js";
import { Membership } from "../src/membership.js";
import { Chat } from "./chat.js";

/** A member, and what is told to its page. */
class Member {
  readonly conn: ServingConnection;
  readonly membership: Membership;
  readonly heard: string[] = [];
  readonly lost: ParleyError[] = [];
  refused: ParleyError | undefined;
  typing: string[] = [];
  ended: Promise<void>;

  constructor(url: string, name: string) {
    this.conn = createConnection(url, { WebSocket, jitter: () => 20 });
    this.conn.serve(MemberService, {
      showTyping: ({ names }) => {
        this.typing = names;
        return {};
      },
    });
    this.membership = new Membership(this.conn, "lobby", name, {
      entered: ({ names }) => this.heard.push(`entered: ${names}`),
      happened: ({ event, missed, missedMore }) => {
        if (missed || missedMore) this.heard.push("a gap");
        if (event.case === "said") this.heard.push(`${event.value.number} ${event.value.name}: ${event.value.text}`);
        else if (event.case === "came" || event.case === "left") this.heard.push(`${event.value.name} ${event.case}`);
      },
      changed: () => {},
      lost: (error) => this.lost.push(error),
      refused: (error) => {
        this.refused = error;
      },
    });
    this.ended = this.membership.run();
  }

  hears(text: string): Promise<void> {
    return until(`hear ${text}`, () => this.heard.includes(text));
  }

  get unsaid(): string[] {
    return this.membership.outbox.lines.map((l) => `${l.text} ${l.state}`);
  }
}

let chat: Chat;
let tunnel: Tunnel;
let members: Member[];
beforeEach(async () => {
  chat = await Chat.start();
  tunnel = await Tunnel.start(Number(chat.addr.split(":")[1]));
  members = [];
});
afterEach(async () => {
  for (const m of members) {
    m.membership.leave();
    await m.ended;
    await m.conn.close();
  }
  await tunnel.stop();
  await chat.stop();
});

/** Has somebody enter, through the tunnel or not. */
function enter(name: string, url = `ws://${chat.addr}/rpc`): Member {
  const member = new Member(url, name);
  members.push(member);
  return member;
}

test("lines typed while detached are said once and in order", async () => {
  const ada = enter("ada", tunnel.url());
  await ada.hears("entered: ada");
  const bob = enter("bob");
  await ada.hears("bob came");
  tunnel.refusing = true;
  tunnel.cut();
  await until("the link is missed", () => ada.conn.state === "resuming");
  for (let i = 1; i <= 3; i++) {
    ada.membership.say(`away ${i}`);
    bob.membership.say(`meanwhile ${i}`);
  }
  await bob.hears("3 bob: meanwhile 3");
  expect(ada.unsaid).toEqual(["away 1 sent", "away 2 sent", "away 3 sent"]);
  tunnel.refusing = false;
  await ada.hears("3 ada: away 3");
  await bob.hears("3 ada: away 3");
  const said = (m: Member) => m.heard.filter((line) => /^\d/.test(line));
  expect(said(ada)).toEqual(said(bob));
  expect(ada.unsaid).toEqual([]);
  expect(ada.lost).toEqual([]);
  expect(ada.membership.callAlive).toBe(true);
});

test("after a restart each line is said once, without the user", async () => {
  const { addr } = chat;
  const ada = enter("ada", tunnel.url());
  await ada.hears("entered: ada");
  ada.membership.say("before");
  await ada.hears("1 ada: before");
  tunnel.refusing = true;
  tunnel.cut();
  ada.membership.say("in limbo");
  await chat.stop("SIGKILL");
  chat = await Chat.start(addr);
  ada.heard.length = 0;
  tunnel.refusing = false;
  await ada.hears("2 ada: in limbo");
  expect(ada.heard).toEqual(["entered: ada", "a gap", "2 ada: in limbo"]); // the history is lost with its only server
  expect(ada.lost.map((e) => e.code)).toEqual([Code.Unavailable]);

  await chat.stop();
  await until("the call is lost", () => ada.lost.length === 2);
  ada.membership.say("without a server");
  expect(ada.unsaid).toEqual(["without a server waiting"]);
  chat = await Chat.start(addr);
  await ada.hears("3 ada: without a server");
  expect(ada.unsaid).toEqual([]);
});

test("a name that is taken is refused", async () => {
  const first = enter("ada");
  await first.hears("entered: ada");
  const second = enter("ada");
  await second.ended;
  expect(second.refused?.code).toBe(Code.AlreadyExists);
  expect(first.heard.length).toBe(1);
});

test("the server calls the page with who is typing", async () => {
  const ada = enter("ada");
  await ada.hears("entered: ada");
  const bob = enter("bob");
  await ada.hears("bob came");
  await bob.hears("entered: ada,bob"); // before that it does not report typing
  bob.membership.typing(true);
  await until("ada sees it", () => ada.typing.join() === "bob");
  bob.membership.say("hello");
  await until("ada sees the end", () => ada.typing.length === 0);
  expect(bob.typing).toEqual([]);
});

test("a member may leave and return under the same name", async () => {
  const ada = enter("ada");
  await ada.hears("entered: ada");
  const bob = enter("bob");
  await bob.hears("entered: ada,bob");
  bob.membership.leave();
  await bob.ended;
  await ada.hears("bob left");
  const again = enter("bob");
  await again.hears("entered: ada,bob");
});
