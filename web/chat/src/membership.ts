import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Call, Code, type Connection, ParleyError } from "@parley-rpc/client";
import { ChatService, type Entered, type JoinRequestSchema, type JoinResponseSchema } from "../../gen/parley/chat/v1/chat_pb.js";
import { Numbers } from "./numbers.js";
import { Outbox } from "./outbox.js";

type Response = MessageShape<typeof JoinResponseSchema>;

/** The events of a membership. */
export interface MembershipEvents {
  /** The member has entered the room, for the first time or again on another call. */
  entered(entered: Entered): void;
  /** Something has happened in the room. */
  happened(response: Response): void;
  /** The outbox has changed. */
  changed(): void;
  /** The call is lost. Another one follows. */
  lost(error: ParleyError): void;
  /** The membership is over: the server has refused the member. */
  refused(error: ParleyError): void;
}

/** The longest delay between calls, in milliseconds. Calls that are lost at once double the delay. */
const MAX_PAUSE = 2000;

/** How long a call that was not lost soon has lasted, in milliseconds. */
const STABLE = 5000;

/** A random secret. Pages that do not come over HTTPS have no crypto.randomUUID. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

/**
 * A membership in a room. It survives its calls: when a call is lost with its session, another call enters the room again,
 * maybe at another server. It continues at the position of the last response, and says again what has not come back.
 */
export class Membership {
  readonly outbox = new Outbox();
  #key = newKey();
  #position = "";
  #id = "";
  #said = new Numbers();
  #losses = 0; // calls in a row that were lost soon
  #call: Call<typeof ChatService.method.join> | undefined;
  #inside = false;
  #enteredBefore = false;
  #left = new AbortController();

  constructor(
    private conn: Connection,
    readonly room: string,
    readonly name: string,
    private events: MembershipEvents,
  ) {}

  /** Reports whether lines are sent at once. */
  get inside(): boolean {
    return this.#inside;
  }

  /** Reports whether the call that entered the room is still alive. */
  get callAlive(): boolean {
    return this.#inside && !this.#call?.over;
  }

  /** Stays in the room until the member leaves or is refused. */
  async run(): Promise<void> {
    while (!this.#left.signal.aborted) {
      const began = Date.now();
      const error = await this.#enter();
      if (Date.now() - began > STABLE) this.#losses = 0;
      this.#inside = false;
      this.outbox.lost();
      if (this.#left.signal.aborted) return;
      if (!this.#mayReturn(error)) return this.events.refused(error);
      this.events.changed();
      this.events.lost(error);
      await this.#pause();
    }
  }

  /** Says a line now, or as soon as possible. */
  say(text: string): void {
    this.outbox.add(text);
    this.#flush();
  }

  /** Reports that the member is typing, or has stopped. */
  typing(typing: boolean): void {
    if (this.#inside) this.#send({ action: { case: "typing", value: { typing } } });
  }

  leave(): void {
    this.#left.abort();
    this.#call?.cancel();
  }

  /** Makes a call and returns why it has ended. */
  async #enter(): Promise<ParleyError> {
    const { room, name } = this;
    const call = this.conn.call(ChatService.method.join, { waitForReady: true });
    this.#call = call;
    this.#send({ action: { case: "enter", value: { room, name, showsTyping: true, key: this.#key, position: this.#position } } });
    try {
      for (let res = await call.next(); res; res = await call.next()) this.#take(res);
      return new ParleyError("the server has ended the call", Code.Unavailable);
    } catch (e) {
      return ParleyError.from(e);
    }
  }

  #take(res: Response): void {
    if (res.position) this.#position = res.position;
    if (res.event.case === "entered") {
      this.#id = res.event.value.member;
      this.#inside = this.#enteredBefore = true;
      this.events.entered(res.event.value);
      this.#flush();
      return;
    }
    if (res.event.case === "said") {
      const { member, number } = res.event.value;
      if (!this.#said.add(member, number)) return; // said again, after its call was lost
      if (member === this.#id) {
        this.outbox.arrived(Number(number));
        this.events.changed();
      }
    }
    this.events.happened(res);
  }

  #flush(): void {
    if (this.#inside) {
      for (const { text, number } of this.outbox.take()) {
        this.#send({ action: { case: "say", value: { text, number: BigInt(number) } } });
      }
    }
    this.events.changed();
  }

  #send(request: MessageInitShape<typeof JoinRequestSchema>): void {
    void this.#call?.send(request).catch(() => {}); // next fails too
  }

  /** Reports whether entering again may help. Another member may have the name for a while. */
  #mayReturn({ code }: ParleyError): boolean {
    return code === Code.Unavailable || (this.#enteredBefore && (code === Code.AlreadyExists || code === Code.Internal));
  }

  #pause(): Promise<void> {
    const ms = Math.min(MAX_PAUSE, 50 * 2 ** this.#losses++) * Math.random();
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
      this.#left.signal.addEventListener("abort", () => resolve());
    });
  }
}
