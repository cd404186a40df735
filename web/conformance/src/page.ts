// The driver in a page: its lines come and go on a WebSocket, whose other end is browser.ts.

import { drive } from "./driver.js";
import { reportTo } from "./report.js";

const relay = new WebSocket(new URL("/relay", location.href.replace(/^http/, "ws")));
reportTo((line) => relay.send(line));
relay.onopen = () => void drive(document.title, lines());

async function* lines(): AsyncGenerator<string> {
  const waiting: string[] = [];
  let wake: (() => void) | undefined;
  relay.onmessage = ({ data }) => {
    waiting.push(data);
    wake?.();
  };
  for (;;) {
    while (waiting.length) yield waiting.shift() as string;
    await new Promise<void>((resolve) => (wake = resolve));
  }
}
