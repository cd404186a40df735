import type { WebSocketConstructor } from "@parley-rpc/client";
import type { BenchClient } from "./target.js";

/** A server stream of bytes without a protocol, as the browser gives them to the page: nothing is decoded or copied. */
export function bareWebSocket(
  origin: string,
  Constructor: WebSocketConstructor = WebSocket,
): { client: BenchClient; close(): Promise<void> } {
  return only(async function* (size, signal) {
    const socket = new Constructor(`${origin.replace(/^http/, "ws")}/bare/messages?size=${size}`, []);
    socket.binaryType = "arraybuffer";
    const arrived: Uint8Array[] = [];
    let failed: Error | undefined;
    let wake = () => {};
    const tell = () => wake();
    socket.addEventListener("message", (e: MessageEvent<ArrayBuffer>) => {
      arrived.push(new Uint8Array(e.data));
      tell();
    });
    socket.addEventListener("close", () => {
      failed = new Error("the WebSocket has ended");
      tell();
    });
    signal.addEventListener("abort", () => socket.close());
    while (!signal.aborted) {
      for (const payload of arrived.splice(0)) yield { payload };
      if (failed) throw failed;
      if (arrived.length) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  });
}

/** The same by fetch. Its pieces have any size, so a payload is counted whenever so many bytes have arrived. */
export function bareFetch(origin: string): { client: BenchClient; close(): Promise<void> } {
  return only(async function* (size, signal) {
    const { body } = await fetch(`${origin}/bare/body?size=${size}`, { signal });
    const payload = new Uint8Array(size);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    for (let bytes = 0; ; ) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the response has ended");
      for (bytes += value.length; bytes >= size; bytes -= size) yield { payload };
    }
  });
}

type Download = (size: number, signal: AbortSignal) => AsyncIterable<{ payload: Uint8Array }>;

/** Makes a client that has nothing but the download. */
function only(download: Download): { client: BenchClient; close(): Promise<void> } {
  const no = () => {
    throw new Error("there is only a download");
  };
  return {
    client: { echo: no, upload: no, talk: no, download: ({ size }, { signal }) => download(size, signal) },
    close: async () => {},
  };
}
