import { createConnection, type ServingConnection } from "@parley-rpc/client";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../testing/until.js";
import { Membership } from "../src/membership.js";
import { Chat } from "./chat.js";
import { listen } from "./listener.js";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function connect(addr: string): ServingConnection {
  const conn = createConnection(`ws://${addr}/rpc`, { WebSocket, jitter: () => 20 });
  ends.push(() => conn.close());
  return conn;
}

/** Enters a room to speak there. */
function speak(addr: string): Membership {
  const nothing = () => {};
  const events = { entered: nothing, happened: nothing, changed: nothing, lost: nothing, refused: nothing };
  const member = new Membership(connect(addr), "lobby", "ada", events);
  const ended = member.run();
  ends.push(() => {
    member.leave();
    return ended;
  });
  return member;
}

test("a listener is told a gap when the only server has lost its history", async () => {
  let chat = await Chat.start();
  const { addr } = chat;
  ends.push(() => chat.stop());
  const member = speak(addr);
  const heard: string[] = [];
  const left = new AbortController();
  const listening = listen(
    connect(addr),
    "lobby",
    left.signal,
    ({ text }) => heard.push(text),
    () => heard.push("a gap"),
  ).catch((e: Error) => e.message);
  member.say("one");
  await until("the line comes", () => heard.includes("one"));
  await chat.stop("SIGKILL");
  member.say("two");
  chat = await Chat.start(addr);
  await until("the next line comes", () => heard.includes("two"));
  expect(heard).toEqual(["one", "a gap", "two"]);
  left.abort();
  expect(await listening).toContain("canceled");
});
