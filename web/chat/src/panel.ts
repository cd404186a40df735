import { avatar, byId, make } from "./dom.js";
import type { Links } from "./links.js";
import type { Tally } from "./tally.js";
import { KEPT, type Words } from "./words.js";

const row = (name: string, messages: number, state: string, className: string): HTMLElement => {
  const head = make("th", "", name);
  head.scope = "row";
  return make("tr", className, head, make("td", "", String(messages)), make("td", "", state));
};

/** Shows the links and their messages, the latest link first. */
export function showLinks({ shown, earlier }: Links): void {
  const rows = shown.map((l) => row(String(l.number), l.messages, l.state === "open" ? "open" : "broken", l.state)).reverse();
  if (earlier.links) rows.push(row(`1 to ${earlier.links}`, earlier.messages, "broken", "lost"));
  byId("links").replaceChildren(...rows);
}

export function showTally(tally: Tally): void {
  byId("proof").textContent = tally.toString();
}

/** Shows the members of the room. */
export function showMembers(names: Iterable<string>, own: string): void {
  const items = [...names]
    .sort((a, b) => a.localeCompare(b))
    .map((name) => {
      const item = make("li", "", avatar(name), make("span", "", name));
      if (name === own) item.append(make("span", "muted", "you"));
      return item;
    });
  byId("members").replaceChildren(...items);
  byId("member-title").textContent = `In the room: ${items.length}`;
}

/** Shows the connection's state. Unchanged text is left alone, so that screen readers do not repeat it. */
export function showWords({ tone, badge, more }: Words): void {
  byId("badge").dataset.tone = tone;
  const set = (element: HTMLElement, text: string) => {
    if (element.textContent !== text) element.textContent = text;
  };
  set(byId("badge-text"), badge);
  set(byId("trouble"), `${more} ${KEPT}`);
  byId("trouble").hidden = !more;
}

/** Shows who is typing. */
export function showTyping(names: readonly string[]): void {
  const [first, second] = names;
  const who = names.length > 2 ? "Several people" : second ? `${first} and ${second}` : first;
  const element = byId("typing");
  if (!who) return element.replaceChildren();
  const dots = make("span", "dots", make("i"), make("i"), make("i"));
  dots.ariaHidden = "true";
  element.replaceChildren(dots, `${who} ${names.length > 1 ? "are" : "is"} typing`);
}
