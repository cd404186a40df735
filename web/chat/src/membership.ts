import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Call, Code, type Connection, ParleyError } from "@parley-rpc/client";
import { ChatService, type Entered, type JoinRequestSchema, type JoinResponseSchema } from "../../gen/parley/chat/v1/chat_pb.js";
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

/** The delay between failed calls, in milliseconds. */
const PAUSE = 2000;

/** A membership in a room. It survives its calls: when a call is lost with its session, another call enters the room again. */
export class Membership {
  readonly outbox = new Outbox();
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
      const error = await this.#enter();
      this.#inside = false;
      this.outbox.lost();
      if (this.#left.signal.aborted) return;
      if (!this.#mayReturn(error)) return this.events.refused(error);
      this.events.changed();
      this.events.lost(error);
      if (error.code !== Code.Unavailable) await this.#pause();
    }
  }

  /** Says a line now, or as soon as possible. */
  say(text: string): void {
    this.outbox.add(text);
    this.#flush();
  }

  /** Says a line again that may have been lost. */
  resend(id: number): void {
    this.outbox.resend(id);
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
    this.#send({ action: { case: "enter", value: { room, name, showsTyping: true } } });
    try {
      for (let res = await call.next(); res; res = await call.next()) this.#take(res);
      return new ParleyError("the server has ended the call", Code.Unavailable);
    } catch (e) {
      return ParleyError.from(e);
    }
  }

  #take(res: Response): void {
    if (res.event.case === "entered") {
      this.#inside = this.#enteredBefore = true;
      this.events.entered(res.event.value);
      this.#flush();
      return;
    }
    if (res.event.case === "said" && res.event.value.name === this.name) {
      this.outbox.arrived();
      this.events.changed();
    }
    this.events.happened(res);
  }

  #flush(): void {
    if (this.#inside) {
      for (const text of this.outbox.take()) this.#send({ action: { case: "say", value: { text } } });
    }
    this.events.changed();
  }

  #send(request: MessageInitShape<typeof JoinRequestSchema>): void {
    void this.#call?.send(request).catch(() => {}); // next fails too
  }

  /**
   * Reports whether entering again may help. The previous call may still own the name until the server notices that it is lost.
   */
  #mayReturn({ code }: ParleyError): boolean {
    return code === Code.Unavailable || (this.#enteredBefore && (code === Code.AlreadyExists || code === Code.Internal));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, PAUSE);
      this.#left.signal.addEventListener("abort", () => resolve());
    });
  }
}
