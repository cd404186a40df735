/** A browser that runs. */
export interface Engine {
  readonly name: EngineName;
  /** The version of the browser, as in "153.8.0". */
  readonly version: string;
  /** Opens a page and waits until it is loaded. */
  open(url: string): Promise<Page>;
  /** Ends the browser and everything that belongs to it. */
  close(): Promise<void>;
}

export const engineNames = ["chromium", "firefox", "webkit"] as const;

export type EngineName = (typeof engineNames)[number];

/** An open page. Each wait is at most a minute long. */
export interface Page {
  /** Exceptions that no code of the page has caught, as texts. */
  readonly errors: readonly string[];
  /**
   * Runs a function in the page and returns its result, or that of its promise. The function uses nothing from around it.
   * Arguments and result pass as JSON. Several evaluations may be in progress at once.
   */
  evaluate<A extends unknown[], R>(f: (...args: A) => R | Promise<R>, ...args: A): Promise<R>;
  /** Goes to another URL and waits until it is loaded. */
  goto(url: string): Promise<void>;
  /** Loads the page again. */
  reload(): Promise<void>;
  /** Goes to the previous page of the history, and waits until it is shown. */
  back(): Promise<void>;
  /** Goes to the next page of the history, and waits until it is shown. */
  forward(): Promise<void>;
  /** Hides the page, like a user who looks at another tab or minimizes the window. Undefined if the driver cannot. */
  readonly hide?: () => Promise<void>;
  /** Shows the page again. */
  show(): Promise<void>;
  /** Takes the network from the page, or gives it back. Undefined if the driver cannot. */
  readonly offline?: (is: boolean) => Promise<void>;
  /** Types a text into the element with the focus. */
  type(text: string): Promise<void>;
  /** Presses a key. */
  press(key: Key): Promise<void>;
  /** Clicks the first element that a CSS selector finds. */
  click(selector: string): Promise<void>;
  /** Changes the size of the page, in pixels of CSS. */
  resize(width: number, height: number): Promise<void>;
  /** Writes a picture of the page, as PNG. */
  screenshot(path: string): Promise<void>;
  /** Closes the page like its user does: the page hears of it. */
  close(): Promise<void>;
}

export type Key = "Enter" | "Tab";

/** The longest wait for a command, in milliseconds. */
export const COMMAND_TIMEOUT = 60_000;

/** The longest start of a program, in milliseconds. */
export const START_TIMEOUT = 60_000;
