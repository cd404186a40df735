import { hex, unhex } from "../../testing/vectors.js";
import { closeAction } from "../src/closecode.js";
import { Code } from "../src/code.js";
import { ParleyError } from "../src/error.js";
import type { Link, SessionEvents } from "../src/events.js";
import { encodeFrame, readFrame } from "../src/frame.js";
import { protocolDefaults, type Settings } from "../src/hello.js";
import { Session } from "../src/session.js";
import type { Stream } from "../src/stream.js";
import { Reader } from "../src/varint.js";

const names = ["", "HELLO", "OPEN", "HEADER", "DATA", "END", "RESET", "WINDOW", "ACK", "PING", "PONG", "GOAWAY"];

/** Records what a session sends on a link, frame by frame, and how it closes the link. */
export class Wire implements Link {
  bufferedAmount = 0;
  frames: { name: string; head: number; id: number; payload: Uint8Array }[] = [];
  closed: number | undefined;
  ended = false;

  send(bytes: Uint8Array): void {
    if (this.ended) throw new Error("a message behind the close");
    const r = new Reader(bytes.slice());
    while (!r.done) {
      if (r.at >= 65_536) throw new Error(`a frame begins at byte ${r.at} of a link message`);
      const frame = readFrame(r, 1 << 20);
      if (!frame) throw new Error("an ignorable frame");
      this.frames.push({
        name: names[frame.type] as string,
        head: frame.type | frame.flags,
        id: frame.id,
        payload: frame.payload,
      });
    }
  }

  close(code?: number): void {
    this.ended = true;
    this.closed = code;
  }

  /** Returns the frames as text, such as "RESET 1 0202", and forgets them. */
  takeFrames(...ignored: string[]): string[] {
    const texts = this.frames.map((f) => `${f.name}${f.id ? ` ${f.id}` : ""} ${hex(f.payload)}`);
    this.frames = [];
    return texts.filter((t) => !ignored.includes(t.split(" ")[0] as string));
  }
}

/** Waits until all due microtasks have run. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** A session whose peer is the test. */
export class SessionHarness {
  wire = new Wire();
  events: string[] = [];
  opened: Stream[] = [];
  session: Session;

  constructor(settings: Partial<Settings> = {}) {
    const events: SessionEvents = {
      ready: (resumed) => this.events.push(resumed ? "resumed" : "ready"),
      detached: (error) => this.events.push(`lost ${error.message}`),
      mayReconnect: (code) => closeAction(code).reconnect !== "never",
      goaway: () => this.events.push("goaway"),
      ended: (error, code) => this.events.push(`over ${code} ${error.message}`),
      stream: (stream) => this.opened.push(stream),
    };
    this.session = new Session({ ...protocolDefaults(), ...settings }, events);
    this.session.attach(this.wire);
  }

  /** Delivers a link message of the peer. */
  async receive(bytes: string | Uint8Array, zeros = 0): Promise<void> {
    const start = typeof bytes === "string" ? unhex(bytes) : bytes;
    const message = new Uint8Array(start.length + zeros);
    message.set(start);
    this.session.receive(message.buffer);
    await settle();
  }

  frame(head: number, id: number, payload: string): Promise<void> {
    return this.receive(encodeFrame(head, id, unhex(payload)));
  }

  end(): void {
    this.session.close(1000, new ParleyError("the test is over", Code.Canceled));
  }
}
