import type { MessageShape } from "@bufbuild/protobuf";
import { Code, type ParleyError, type ServingConnection } from "@parley-rpc/client";
import { type Entered, type JoinResponseSchema, MemberService } from "../../gen/parley/chat/v1/chat_pb.js";
import { byId } from "./dom.js";
import { Links } from "./links.js";
import { LogView } from "./logview.js";
import { Membership, type MembershipEvents } from "./membership.js";
import { showLinks, showMembers, showTally, showTyping, showWords } from "./panel.js";
import { storage } from "./storage.js";
import { Tally } from "./tally.js";
import { Typist } from "./typist.js";
import { words } from "./words.js";

/** Returns the room in the URL's fragment. */
function roomOf(hash: string): string {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return ""; // malformed percent-encoding
  }
}

/** The page: a form to enter a room, and the room itself. */
export class App implements MembershipEvents {
  #membership: Membership | undefined;
  #links = new Links();
  #tally = new Tally();
  #members = new Set<string>();
  #nameTaken = false;
  #typist = new Typist((typing) => this.#membership?.typing(typing));
  #log = new LogView();
  #text = byId<HTMLInputElement>("text");
  #name = byId<HTMLInputElement>("name");
  #place = byId<HTMLInputElement>("place");

  constructor(
    private conn: ServingConnection,
    breakLink: () => void,
  ) {
    // The server calls the page.
    conn.serve(MemberService, {
      showTyping: ({ room, names }) => {
        if (this.#membership?.room === room) showTyping(names);
        return {};
      },
    });
    conn.subscribe((state) => {
      const change = this.#links.update(state);
      if (change?.link.state === "lost") this.#log.note(`Link ${change.link.number} broke`, "lost");
      else if (change?.detachedMs !== undefined) {
        const seconds = (change.detachedMs / 1000).toFixed(1);
        const what = this.#membership?.callAlive ? "the session goes on" : "a new session";
        this.#log.note(`Link ${change.link.number}: ${what} after ${seconds} s`, "back");
      }
      this.#show();
    });
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#show());

    this.#name.value = storage.get("name");
    this.#place.value = roomOf(location.hash) || "lobby";
    this.#text.value = storage.get("draft");
    this.#name.focus();
    byId("enter").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#enter();
    });
    byId("composer").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#say();
    });
    this.#text.addEventListener("input", () => {
      storage.set("draft", this.#text.value);
      this.#typist.wrote(this.#text.value);
    });
    byId("break").addEventListener("click", () => {
      if (conn.state === "ready") breakLink();
    });
    byId("leave").addEventListener("click", () => this.#leave());
    byId("details").addEventListener("click", () => {
      const open = byId("panel").classList.toggle("open");
      byId("details").ariaExpanded = String(open);
    });
  }

  #enter(): void {
    const [name, room] = [this.#name.value.trim(), this.#place.value.trim()];
    if (!name || !room) return this.#refuse("A name and a room are needed.");
    storage.set("name", name);
    history.replaceState(null, "", `#${encodeURIComponent(room)}`);
    this.#membership?.leave();
    this.#membership = new Membership(this.conn, room, name, this);
    this.#tally = new Tally();
    this.#nameTaken = false;
    this.#refuse("");
    this.#show();
    void this.#membership.run();
  }

  #leave(refusal = ""): void {
    const membership = this.#membership;
    this.#typist.stop();
    this.#membership = undefined;
    membership?.leave();
    // Restore unsent lines to the input field.
    const lines = membership?.outbox.lines.map((l) => l.text) ?? [];
    this.#write([...lines, this.#text.value].filter(Boolean).join(" "));
    byId("chat").hidden = true;
    byId("door").hidden = false;
    this.#refuse(refusal);
    this.#show();
    this.#name.focus();
  }

  #say(): void {
    const text = this.#text.value.trim();
    if (!text || !this.#membership || this.#membership.outbox.full) return;
    this.#write("");
    this.#typist.said();
    this.#membership.say(text);
  }

  #write(text: string): void {
    this.#text.value = text;
    storage.set("draft", text);
  }

  #refuse(text: string): void {
    byId("refusal").textContent = text;
  }

  entered({ names, server }: Entered): void {
    const first = byId("chat").hidden;
    this.#nameTaken = false;
    this.#links.message();
    this.#members = new Set(names);
    this.#showMembers();
    if (first) {
      const { room } = this.#membership as Membership;
      this.#log.clear();
      showTyping([]);
      byId("room").textContent = `# ${room}`;
      document.title = `${room} · Parley chat`;
      byId("door").hidden = true;
      byId("chat").hidden = false;
      this.#log.note(names.length > 1 ? `You came. ${names.length} are here.` : "You came. You are the first one here.");
      this.#text.focus();
    } else this.#log.note("You are back. What was said meanwhile follows.", "back");
    byId("server").textContent = `Served by ${server}.`;
    this.#show();
  }

  happened(response: MessageShape<typeof JoinResponseSchema>): void {
    const { event } = response;
    this.#links.message();
    if (this.#tally.record(response)) this.#log.note("Lines are missing here: the room no longer keeps them.", "lost");
    if (event.case === "said") {
      const { name, text, atMs } = event.value;
      const own = name === this.#membership?.name;
      this.#log.said({ name, text, own, link: this.#links.current, at: new Date(Number(atMs)) });
    } else if (event.case === "came" || event.case === "left") {
      const { name } = event.value;
      if (event.case === "came") this.#members.add(name);
      else this.#members.delete(name);
      this.#showMembers();
      this.#log.note(`${name} ${event.case}`);
    }
    this.#show();
  }

  changed(): void {
    const lines = this.#membership?.outbox.lines ?? [];
    this.#log.outbox(lines);
    byId("send").ariaDisabled = String(this.#membership?.outbox.full ?? false);
    // While lines are unsent, the browser asks before it closes the page.
    window.onbeforeunload = lines.length ? (e) => e.preventDefault() : null;
  }

  lost(error: ParleyError): void {
    showTyping([]);
    this.#typist.said();
    this.#nameTaken = error.code === Code.AlreadyExists;
    this.#show();
  }

  refused(error: ParleyError): void {
    this.#leave(error.rawMessage);
  }

  #showMembers(): void {
    showMembers(this.#members, this.#membership?.name ?? "");
  }

  /** Shows the state everywhere on the page. */
  #show(): void {
    const { state, error } = this.conn;
    const said = words({
      state,
      failed: !!error,
      online: navigator.onLine,
      inside: this.#membership?.inside ?? false,
      nameTaken: this.#nameTaken,
    });
    showWords(said);
    byId("break").ariaDisabled = String(state !== "ready"); // a disabled button would lose the focus
    showLinks(this.#links);
    showTally(this.#tally);
    const entering = this.#membership && !byId("door").hidden;
    byId("waiting").textContent = entering ? `${said.badge}. ${said.more}` : "";
  }
}
