import { expect } from "vitest";
import type { Engine, Page } from "../testing/engines/index.js";
import { until } from "../testing/until.js";

/** A person in the chat, with a page of their own. */
export class Person {
  private constructor(readonly page: Page) {}

  /** Opens the page of a chat. */
  static async come(browser: Engine, url: string): Promise<Person> {
    return new Person(await browser.open(url));
  }

  /** Writes a text into a field, by its id. */
  async fill(field: string, text: string): Promise<void> {
    await this.page.evaluate(
      (field, text) => {
        const input = document.getElementById(field) as HTMLInputElement;
        input.focus();
        input.value = text;
        input.dispatchEvent(new Event("input", { bubbles: true }));
      },
      field,
      text,
    );
  }

  /** Enters a room. */
  async enter(name: string, room: string): Promise<void> {
    await this.fill("name", name);
    await this.fill("place", room);
    await this.page.press("Enter");
  }

  async say(text: string): Promise<void> {
    await this.fill("text", text);
    await this.page.press("Enter");
  }

  /** Waits until the page shows a text. */
  async sees(text: string): Promise<void> {
    const shown = () => document.body.innerText.replace(/\s+/g, " ");
    let last = "";
    const sees = async () => (last = await this.page.evaluate(shown)).includes(text);
    await until(`the page shows "${text}"`, sees, 15_000).catch((e) => {
      throw new Error(`${e.message}; it shows ${JSON.stringify(last)}`);
    });
  }

  /** Returns the texts of the elements that a CSS selector finds. */
  texts(selector: string): Promise<string[]> {
    return this.page.evaluate((selector) => [...document.querySelectorAll(selector)].map((e) => e.textContent ?? ""), selector);
  }

  /** Returns what was said, in the order of the page. */
  lines(): Promise<string[]> {
    return this.texts("#log .bubble p");
  }

  /** Closes the page. The test fails if it has thrown. */
  async leave(): Promise<void> {
    await this.page.close();
    expect(this.page.errors).toEqual([]);
  }
}
