"""
A member of the chat example, for a terminal. Lines of standard input are said; what others say is printed.

    go run ./examples/chat server
    python3 examples/python/chat.py ws://localhost:8080/rpc lobby Ada
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import threading

from chat_parley import ChatServiceStub
from chat_pb2 import Enter, JoinRequest, JoinResponse, Say
from parley import BidiCall, Client, Code, RpcError

PAUSE = 0.5  # seconds until a member that was cut off enters again


class Member:
    """A member of a room. It enters again when it was cut off, and says again what was not told back to it."""

    def __init__(self, client: Client, room: str, name: str) -> None:
        self._stub = ChatServiceStub(client)
        self._enter = Enter(room=room, name=name, key=secrets.token_hex(16))
        self._member = ""
        self._unsaid: dict[int, str] = {}
        self._number = 0
        self._heard: dict[str, int] = {}
        self._call: BidiCall[JoinRequest, JoinResponse] | None = None

    async def say(self, text: str) -> None:
        """Says a line."""
        self._number += 1
        self._unsaid[self._number] = text
        if self._call:
            await self._send(self._call, self._number, text)

    async def _send(self, call: BidiCall[JoinRequest, JoinResponse], number: int, text: str) -> None:
        try:
            await call.send(JoinRequest(say=Say(text=text, number=number)))
        except RpcError:
            pass  # the reader enters again, and says it again

    async def stay(self) -> None:
        """Is a member until the server refuses."""
        while True:
            try:
                await self._join()
                return
            except RpcError as e:
                if e.code is not Code.UNAVAILABLE:
                    raise
                print("* cut off", flush=True)
                await asyncio.sleep(PAUSE)

    async def _join(self) -> None:
        async with self._stub.Join(wait_for_ready=True) as call:
            await call.send(JoinRequest(enter=self._enter))
            async for response in call:
                if response.position:
                    self._enter.position = response.position
                await self._show(call, response)

    async def _show(self, call: BidiCall[JoinRequest, JoinResponse], response: JoinResponse) -> None:
        match response.WhichOneof("event"):
            case "entered":
                print("* here:", ", ".join(map(shown, response.entered.names)), flush=True)
                self._member = response.entered.member
                for number, text in list(self._unsaid.items()):
                    await self._send(call, number, text)
                self._call = call
            case "came":
                print(f"* {shown(response.came.name)} has come", flush=True)
            case "left":
                print(f"* {shown(response.left.name)} has left", flush=True)
            case "said":
                said = response.said
                if 0 < said.number <= self._heard.get(said.member, 0):
                    return  # it was said again
                self._heard[said.member] = said.number
                if said.member == self._member:
                    self._unsaid.pop(said.number, None)
                print(f"{shown(said.name)}: {shown(said.text)}", flush=True)


def shown(text: str) -> str:
    """Returns text of others without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)


async def main(url: str, room: str, name: str) -> None:
    async with Client(url) as client:
        member = Member(client, room, name)
        staying = asyncio.ensure_future(member.stay())
        typing = asyncio.ensure_future(say_lines(member))
        done, others = await asyncio.wait((staying, typing), return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for task in done:
            task.result()


async def say_lines(member: Member) -> None:
    """Says the lines of standard input until it ends."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    threading.Thread(target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    while line := await lines.get():
        await member.say(line.rstrip("\n"))


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    """Passes on the lines of standard input, and an empty one at its end. It runs in a thread that can be left behind."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, "")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except RpcError as e:
        sys.exit(f"chat: {e}")
    except KeyboardInterrupt:
        pass
