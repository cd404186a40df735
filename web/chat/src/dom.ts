/** Returns an element of the page, which must exist. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found as T;
}

/** Creates an element. Strings become text nodes: user input is never parsed as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** A member's avatar. The color depends on the name. */
export function avatar(name: string): HTMLElement {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + (c.codePointAt(0) as number)) >>> 0;
  const made = make("span", `avatar hue${hash % 6}`, [...name].slice(0, 1).join("").toUpperCase());
  made.ariaHidden = "true";
  return made;
}
