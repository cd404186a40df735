// What the page shows, and what is done with it.
import type { State } from "@parley-rpc/client";

const TYPING_SHOWN = 2500;
const TYPING_TOLD = 1500;
const MOST_LINES = 500;

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const enterForm = find<HTMLFormElement>("enter");
const sayForm = find<HTMLFormElement>("say");
const [name, room, text] = ["name", "room", "text"].map((id) => find<HTMLInputElement>(id)) as [
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
];
const lines = find<HTMLOListElement>("lines");
const badge = find("badge");

let members: string[] = [];
const typing = new Map<string, ReturnType<typeof setTimeout>>();
let told = 0;

function showMembers(): void {
  find("members").replaceChildren(
    ...members.map((member) => {
      const item = document.createElement("li");
      item.textContent = member;
      return item;
    }),
  );
}

function line(kind: "said" | "own" | "note", content: string, by?: string): void {
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  const item = document.createElement("li");
  item.className = kind;
  if (by) {
    const speaker = document.createElement("b");
    speaker.textContent = by;
    item.append(speaker);
  }
  item.append(content);
  lines.append(item);
  if (lines.childElementCount > MOST_LINES) lines.firstElementChild?.remove();
  if (atEnd || kind === "own") lines.scrollTop = lines.scrollHeight;
}

function stopTyping(who: string): void {
  clearTimeout(typing.get(who));
  typing.delete(who);
  showTypists();
}

function showTypists(): void {
  const names = [...typing.keys()];
  find("typing").textContent = names.length ? `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing …` : "";
}

export const ui = {
  onEnter: (_room: string, _name: string): void => {},
  onSay: (_text: string): void => {},
  onTyping: (): void => {},
  onLeave: (): void => {},
  onBreak: (): void => {},

  showState(state: State, why = ""): void {
    badge.dataset.state = state;
    badge.textContent = state;
    badge.title = why;
  },

  enter(roomName: string, names: string[]): void {
    members = names;
    lines.replaceChildren();
    find("problem").textContent = "";
    find("title").textContent = `# ${roomName}`;
    enterForm.hidden = true;
    find("chat").hidden = false;
    showMembers();
    text.focus();
  },

  leave(problem: string): void {
    for (const who of [...typing.keys()]) stopTyping(who);
    find("problem").textContent = problem;
    find("chat").hidden = true;
    enterForm.hidden = false;
    name.focus();
  },

  came(who: string): void {
    members = [...members, who].sort();
    showMembers();
    line("note", `${who} came`);
  },

  left(who: string): void {
    members = members.filter((member) => member !== who);
    showMembers();
    stopTyping(who);
    line("note", `${who} left`);
  },

  said(who: string, what: string, own: boolean): void {
    stopTyping(who);
    line(own ? "own" : "said", what, own ? undefined : who);
  },

  note: (what: string): void => line("note", what),

  showTyping(who: string): void {
    clearTimeout(typing.get(who));
    typing.set(
      who,
      setTimeout(() => stopTyping(who), TYPING_SHOWN),
    );
    showTypists();
  },
};

enterForm.addEventListener("submit", (e) => {
  e.preventDefault();
  ui.onEnter(room.value.trim(), name.value.trim());
});
sayForm.addEventListener("submit", (e) => {
  e.preventDefault();
  const what = text.value.trim();
  if (what) ui.onSay(what);
  text.value = "";
  told = 0;
});
text.addEventListener("input", () => {
  if (Date.now() - told < TYPING_TOLD) return;
  told = Date.now();
  ui.onTyping();
});
// A keyboard on the screen hides nothing that was in sight.
new ResizeObserver(() => {
  lines.scrollTop = lines.scrollHeight;
}).observe(lines);
find("leave").addEventListener("click", () => ui.onLeave());
find("break").addEventListener("click", () => ui.onBreak());
name.focus();
